"""What a run is at while nothing else is to be seen of it, for a log that somebody waits by."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from sage_jax.parallel import hosts
from sage_jax.run.console import log

Say = Callable[[str], None]

EVERY_S = 60.0
"""Seconds between two lines of one stage."""


_LEAST_S = 0.5


def _duration(seconds: float) -> str:
    """In words: `50 s`, `12 min`, `3.5 h`.

    >>> [_duration(s) for s in (50.2, 700.0, 12600.0)]
    ['50 s', '12 min', '3.5 h']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Stage:
    """Something that takes its time.

    Args:
        name: what is done, e.g. "loading the model".
        say: told in lines.
    """

    def __init__(self, name: str, say: Say):
        self._name, self._say, self._begun, self._share = name, say, time.monotonic(), ""
        self._seen: tuple[float, int] = (self._begun, 0)

    def progress(self, done: int, total: int) -> None:
        """Note how far it is, and by what was done since the last time how long is left."""
        (then, before), now = self._seen, time.monotonic()
        self._seen, self._share = (now, done), f", {done:,} of {total:,}"
        # What was found and not done takes no time, and says nothing of the rest.
        if now - then > _LEAST_S and done > before:
            left = (now - then) / (done - before) * (total - done)
            self._share += f", about {_duration(left)} left"

    def leaving(self, leave: Callable[[], None]) -> Callable[[int, int], None]:
        """A `progress` that also leaves where that was asked for."""

        def progress(done: int, total: int) -> None:
            self.progress(done, total)
            leave()

        return progress

    def beat(self) -> None:
        """Say that it still goes on."""
        self._say(f"{self._name}: {time.monotonic() - self._begun:.0f} s{self._share}")

    def end(self) -> None:
        """Say how long it took."""
        self._say(f"{self._name}: done in {time.monotonic() - self._begun:.1f} s")


@contextlib.contextmanager
def stage(name: str, say: Say = log) -> Iterator[Stage]:
    """Tell of a stage while its body runs: when it begins, every minute, and when it ends.

    The minutes are told by a thread, since a compilation comes back to nobody.
    """
    one, over = Stage(name, say), threading.Event()

    def beats() -> None:
        while not over.wait(EVERY_S):
            one.beat()

    say(f"{name} ...")
    thread = threading.Thread(target=beats, name="stage", daemon=True)
    if hosts.is_main():
        thread.start()
    try:
        yield one
        one.end()
    finally:
        over.set()
        if thread.is_alive():
            thread.join()


def compiling(first: bool, say: Say) -> contextlib.AbstractContextManager:
    """The stage of a step, where it is the first and has to be compiled."""
    return stage("the first step, which is compiled", say) if first else contextlib.nullcontext()
