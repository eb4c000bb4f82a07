"""Seconds by phase."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator

from sage_jax.run.judging import Pending


class Stopwatch:
    """Adds up what each phase takes, in seconds, until it is read."""

    def __init__(self):
        self._seconds: dict[str, float] = defaultdict(float)

    @contextlib.contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """What happens inside belongs to a phase."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[phase] += time.perf_counter() - begun

    def timed(self, phase: str, pending: Pending) -> Pending:
        """The same rewards; waiting for them belongs to a phase."""

        def wait():
            with self(phase):
                return pending.result()

        return Pending(wait)

    def read(self) -> dict[str, float]:
        """Seconds by phase since the last reading."""
        seconds, self._seconds = dict(self._seconds), defaultdict(float)
        return seconds
