"""A phase that hangs is reported with every thread's stack, once, and usual ones are not."""

import re
import threading
import time

import pytest

from sage_jax.train.watchdog import Watchdog


def wait_for(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def a_thread_that_waits(event):
    event.wait()


@pytest.fixture
def bystander():
    event = threading.Event()
    thread = threading.Thread(target=a_thread_that_waits, args=(event,))
    thread.start()
    yield
    event.set()
    thread.join()


def test_a_phase_that_hangs_is_reported_once_with_every_thread(tmp_path, capsys, bystander):
    path = tmp_path / "stalls.txt"
    with Watchdog(path, at_least_s=0.05) as watchdog:
        with watchdog.phase("step"):
            pass
        with watchdog.phase("step"):
            wait_for(path.is_file)
            time.sleep(0.2)
    said = path.read_text()
    assert said == capsys.readouterr().err
    assert len(re.findall(r"sage-jax: step has taken \d+ s", said)) == 1
    assert "test_a_phase_that_hangs" in said
    assert "a_thread_that_waits" in said


def test_neither_a_first_time_nor_a_usual_one_is_reported(tmp_path):
    path = tmp_path / "stalls.txt"
    with Watchdog(path, at_least_s=0.05) as watchdog:
        for _ in range(3):
            with watchdog.phase("step"):
                time.sleep(0.15)  # Longer than the bound, but no longer than it always is.
    assert not path.exists()


def test_a_phase_that_fails_ends(tmp_path):
    path = tmp_path / "stalls.txt"
    with Watchdog(path, at_least_s=0.05) as watchdog:
        for _ in range(2):
            with pytest.raises(ValueError, match="on purpose"), watchdog.phase("step"):
                raise ValueError("on purpose")
        time.sleep(0.3)
    assert not path.exists()


def test_a_report_that_cannot_be_written_is_told_and_no_more(tmp_path, capsys):
    with Watchdog(tmp_path / "gone" / "stalls.txt", at_least_s=0.05) as watchdog:
        with watchdog.phase("step"):
            pass
        with watchdog.phase("step"):
            wait_for(lambda: "training goes on" in capsys.readouterr().err)


def test_clocks_that_jump_do_not_matter(tmp_path, monkeypatch):
    """Only the monotonic clock is read for lengths."""
    monkeypatch.setattr(time, "time", lambda: 0.0)
    path = tmp_path / "stalls.txt"
    with Watchdog(path, at_least_s=5) as watchdog:
        with watchdog.phase("step"):
            pass
        monkeypatch.setattr(time, "time", lambda: 1e9)
        with watchdog.phase("step"):
            time.sleep(0.1)
    assert not path.exists()
