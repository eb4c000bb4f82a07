"""Ctrl-C and SIGTERM: finish the step, save, and leave; a second one leaves at once."""

import signal
import sys
import threading
from collections.abc import Callable

from sage_jax.parallel import hosts


class Stopped(Exception):
    """The run was asked to stop, and everything it needs to go on is on disk."""


class StopRequest:
    """A flag that the first SIGINT or SIGTERM raises while this is entered."""

    def __init__(self):
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        # Only the main thread may set handlers; elsewhere the caller's own stay in force.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_) -> None:
        self._restore()

    def asked(self) -> bool:
        """Whether any process was asked to stop. A collective: all of them leave together."""
        return hosts.any_of(self.requested)

    def leave_if_asked(self, finish: Callable[[], None]) -> None:
        """Raise `Stopped` if asked to stop, after `finish` has put everything on disk."""
        if self.asked():
            finish()
            raise Stopped

    def _handle(self, *_) -> None:
        self.requested = True
        self._restore()
        sys.stderr.write("stopping after this step; once more to leave at once\n")

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous.clear()
