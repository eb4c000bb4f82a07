"""The first signal asks, a status tells which one it was, and leaving takes no longer than said."""

import signal
import subprocess
import sys

import pytest

from sage_jax.run.stop import Stopped, StopRequest

# A step that ends for no handler.
STUCK = """
import sys, time
from sage_jax.run.stop import StopRequest
with StopRequest(within_s=0.5):
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_status_tells_the_signal(number):
    with StopRequest() as stop:
        assert not stop.asked()
        signal.raise_signal(number)
        assert stop.asked()
        with pytest.raises(Stopped) as caught:
            stop.leave_if_asked(lambda: None)
        assert caught.value.status == 128 + number


def test_a_program_that_does_not_leave_is_left():
    child = subprocess.Popen(
        [sys.executable, "-c", STUCK], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=300)
    assert child.returncode == 143
    assert "not left within 0.5 s; leaving without having saved" in said


def test_the_handlers_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest(within_s=60):
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
    assert signal.set_wakeup_fd(-1) == -1
