"""Ctrl-C and SIGTERM: finish the step, save, and leave; a second one leaves at once."""

import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

from sage_jax.parallel import hosts

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """The run was asked to stop, and everything it needs to go on is on disk.

    Attributes:
        status: that the program leaves with: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, number: int = signal.SIGTERM):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = 128 + number


class StopRequest:
    """A flag that the first SIGINT or SIGTERM raises while this is entered.

    Args:
        within_s: seconds after which the process leaves without having saved, should a step or a
            save not end.
    """

    def __init__(self, *, within_s: float = math.inf):
        self.requested = False
        self._within_s = within_s
        self._number: int = signal.SIGTERM
        self._agreed: int = signal.SIGTERM
        self._previous: dict[int, object] = {}
        self._left = threading.Event()
        self._unbind: Callable[[], None] = lambda: None

    def __enter__(self) -> "StopRequest":
        # Only the main thread may set handlers; elsewhere the caller's own stay in force.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._previous[number] = signal.signal(number, self._handle)
            if math.isfinite(self._within_s):
                self._bound()
        return self

    def __exit__(self, *_) -> None:
        self._restore()
        self._left.set()
        self._unbind()

    def asked(self) -> bool:
        """Whether any process was asked to stop. A collective: all of them leave together."""
        said = max(hosts.gather(int(self._number) if self.requested else 0))
        self._agreed = said or self._agreed
        return bool(said)

    def stopped(self) -> Stopped:
        """What to raise once everything is on disk."""
        return Stopped(self._agreed)

    def leave_if_asked(self, finish: Callable[[], None]) -> None:
        """Raise `Stopped` if asked to stop, after `finish` has put everything on disk."""
        if self.asked():
            finish()
            raise self.stopped()

    def _handle(self, number: int, _frame: object) -> None:
        self._number, self.requested = number, True
        self._restore()
        sys.stderr.write("stopping after this step; once more to leave at once\n")

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous.clear()

    def _bound(self) -> None:
        """Start the thread that leaves when the main one cannot.

        Python runs a handler in the main thread alone, which may be inside a compilation or a
        collective that never ends. The number of the signal is written to a socket at once.
        """
        reading, writing = socket.socketpair()
        writing.setblocking(False)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

        def undo() -> None:
            signal.set_wakeup_fd(before)
            writing.close()  # Which ends the thread's reading.

        self._unbind = undo
        threading.Thread(target=self._watch, args=(reading,), name="stop", daemon=True).start()

    def _watch(self, reading: socket.socket) -> None:
        with reading:
            number = next((b for b in iter(lambda: reading.recv(1), b"") if b[0] in _SIGNALS), b"")
        if number and not self._left.wait(self._within_s):
            sys.stderr.write(
                f"sage-jax: not left within {self._within_s:g} s; leaving without having saved\n"
            )
            sys.stderr.flush()
            os._exit(128 + number[0])
