"""A phase that hangs is reported with every thread's stack, once, and usual ones are not."""

import threading
import time

import pytest

from sage_jax.run.events import PhaseStarted, Stopped, TrainingStarted
from sage_jax.run.watchdog import Watchdog


class Clock:
    """Seconds that pass only when a test says so."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "stalls.txt"


@pytest.fixture
def watchdog(path, clock):
    """One that looks only when it is told to: its thread does not run."""
    return Watchdog(path, at_least_s=5.0, clock=clock)


STEP, OTHER = PhaseStarted("step", 0), PhaseStarted("samples", 0)


def a_phase(watchdog, clock, seconds):
    watchdog(STEP)
    clock.now += seconds
    watchdog.look()
    watchdog(OTHER)


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


def test_a_phase_that_hangs_is_reported_once_with_every_thread(
    watchdog, clock, path, capsys, bystander
):
    a_phase(watchdog, clock, 0.1)
    watchdog(STEP)
    clock.now += 4.9
    watchdog.look()
    assert not path.exists()
    for _ in range(3):
        clock.now += 1
        watchdog.look()
    said = path.read_text()
    assert said == capsys.readouterr().err
    assert said.count("sage-jax: step has taken 6 s, and more than 5 s is not usual") == 1
    assert "test_a_phase_that_hangs" in said
    assert "a_thread_that_waits" in said
    a_phase(watchdog, clock, 60)  # The next one that hangs is another.
    assert path.read_text().count("has taken") == 2


def test_its_own_thread_looks(path):
    watchdog = Watchdog(path, at_least_s=0.05)
    for event in (TrainingStarted(0, 9, []), STEP, OTHER, STEP):
        watchdog(event)
    until = time.monotonic() + 300
    while not (path.is_file() and path.read_text().endswith("\n\n")):
        assert time.monotonic() < until
        time.sleep(0.01)
    watchdog(Stopped(None))
    assert not [t for t in threading.enumerate() if t.name == "watchdog"]


def test_neither_a_first_time_nor_a_usual_one_is_reported(watchdog, clock, path):
    for seconds in (60, 100, 599):  # Ten times the usual is not yet too long.
        a_phase(watchdog, clock, seconds)
    assert not path.exists()
    a_phase(watchdog, clock, 1001)
    assert path.exists()


def test_nothing_is_watched_after_the_end(watchdog, clock, path):
    for _ in range(2):
        watchdog(STEP)
    watchdog(Stopped(ValueError("on purpose")))
    clock.now += 60
    watchdog.look()
    assert not path.exists()


def test_a_report_that_cannot_be_written_is_told_and_no_more(tmp_path, clock, capsys):
    watchdog = Watchdog(tmp_path / "gone" / "stalls.txt", at_least_s=5.0, clock=clock)
    for seconds in (1, 60):
        a_phase(watchdog, clock, seconds)
    assert "going on without it" in capsys.readouterr().err


def test_clocks_that_jump_do_not_matter(path, monkeypatch):
    """Only the monotonic clock is read for lengths."""
    monkeypatch.setattr(time, "time", lambda: 0.0)
    watchdog = Watchdog(path, at_least_s=600)
    watchdog(STEP)
    watchdog(STEP)
    monkeypatch.setattr(time, "time", lambda: 1e9)
    watchdog.look()
    assert not path.exists()
