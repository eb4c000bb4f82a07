"""Phases that take many times their usual time: a report of where every thread stands."""

import collections
import faulthandler
import math
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sage_jax import paths
from sage_jax.run.events import Event, PhaseStarted, Stopped, TrainingStarted
from sage_jax.run.writes import best_effort

_TIMES = 10.0  # Times the median of a phase's earlier times.
_KEPT = 101  # Times that are remembered of each phase.


class Watchdog:
    """A listener that looks from a thread at how long the phase that goes on has been going on.

    A phase's first time is never too long, since nothing is known of it and it may compile.

    Args:
        path: file that reports are added to, besides standard error; none in a bucket.
        at_least_s: seconds that no phase is reported before.
        clock: seconds that never go back.
    """

    def __init__(
        self, path: Path, *, at_least_s: float, clock: Callable[[], float] = time.monotonic
    ):
        self._path, self._at_least_s, self._clock = path, at_least_s, clock
        self._past: dict[str, collections.deque[float]] = collections.defaultdict(
            lambda: collections.deque(maxlen=_KEPT)
        )
        self._now: tuple[str, float, float] | None = None  # Phase, its begin, its limit.
        self._reported: tuple[str, float, float] | None = None
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __call__(self, event: Event) -> None:
        """Begin to watch, begin another phase, or end."""
        match event:
            case TrainingStarted():
                self._thread.start()
            case PhaseStarted():
                self._end()
                self._begin(event.name)
            case Stopped():
                self._end()
                self._leaving.set()
                if self._thread.is_alive():
                    self._thread.join()

    def _begin(self, name: str) -> None:
        past = self._past[name]
        limit = max(self._at_least_s, _TIMES * statistics.median(past)) if past else math.inf
        self._now = (name, self._clock(), limit)

    def _end(self) -> None:
        if self._now is not None:
            name, begun, _ = self._now
            self._now = None
            self._past[name].append(self._clock() - begun)

    def look(self) -> None:
        """Report the phase that goes on, once, if it takes too long."""
        now = self._now
        if now is None or now is self._reported or self._clock() - now[1] < now[2]:
            return
        self._reported = now
        self._report(*now)

    def _watch(self) -> None:
        while not self._leaving.wait(min(1.0, self._at_least_s / 4)):
            self.look()

    def _report(self, name: str, begun: float, limit: float) -> None:
        taken = self._clock() - begun
        text = (
            f"sage-jax: {name} has taken {taken:.0f} s, and more than {limit:.0f} s is not usual; "
            f"every thread at {time.strftime('%Y-%m-%d %H:%M:%S')}:\n{_stacks()}\n"
        )
        sys.stderr.write(text)
        if not paths.is_remote(self._path):
            with best_effort(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(text)


def _stacks() -> str:
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read()
