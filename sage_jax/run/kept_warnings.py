"""What a run warned of, kept in its folder for the report."""

import contextlib
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from sage_jax.files import ResultError, read_json_lines, write_atomically
from sage_jax.parallel import hosts
from sage_jax.paths import PathError, told

_MOST = 200  # Of unlike ones: what comes with a number in it could be without end.


@contextlib.contextmanager
def kept_warnings(path: Path, *, ready: Callable[[], bool]) -> Iterator[None]:
    """Whatever is warned of inside is in a file too: our own lines, logged ones, Python's warnings.

    A text is there once, with the time (Unix, in seconds) at which it was first said. The file is
    written anew at each new one, as buckets ask for. A file that cannot be read or written is gone
    without.

    Args:
        path: of the file, JSON Lines {"time", "text"}; what is there is kept.
        ready: whether the folder is a run's, before which nothing is written in it.
    """
    kept = _Kept(path, ready)
    with contextlib.ExitStack() as stack:
        stack.callback(kept.write)
        for name in ("sage_jax.console", "sage_jax"):
            stack.enter_context(_handled(logging.getLogger(name), kept))
        stack.enter_context(warnings.catch_warnings())  # Each is said that an earlier run said.
        _tell(kept)
        yield


@contextlib.contextmanager
def _handled(logger: logging.Logger, handler: logging.Handler) -> Iterator[None]:
    """A further handler; what is shown without any still is."""
    last = [] if logger.hasHandlers() or not logging.lastResort else [logging.lastResort]
    for own in (handler, *last):
        logger.addHandler(own)
    try:
        yield
    finally:
        for own in (handler, *last):
            logger.removeHandler(own)


class _Kept(logging.Handler):
    def __init__(self, path: Path, ready: Callable[[], bool]):
        super().__init__(logging.WARNING)
        assert self.lock is not None
        self._one = self.lock  # Python's warnings hold none; trackers warn from other threads.
        self._path, self._ready, self._times = path, ready, _read(path)

    def emit(self, record: logging.LogRecord) -> None:
        self.keep(record.getMessage())

    def keep(self, text: str) -> None:
        with self._one:
            if text not in self._times and len(self._times) < _MOST:
                self._times[text] = round(time.time(), 3)
                self.write()

    def write(self) -> None:
        with self._one, contextlib.suppress(OSError, PathError), told(self._path):
            if self._times and hosts.is_main() and self._ready():
                lines = [json.dumps({"time": at, "text": text}) for text, at in self._times.items()]
                write_atomically(self._path, "".join(f"{line}\n" for line in lines).encode())


def _read(path: Path) -> dict[str, float]:
    with contextlib.suppress(OSError, ResultError, PathError), told(path):
        entries = [(entry.get("text"), entry.get("time")) for _, entry in read_json_lines(path)]
        # Of another kind none is written again, since a report would refuse it.
        return {
            text: at
            for text, at in entries
            if isinstance(text, str) and isinstance(at, int | float)
        }
    return {}


def _tell(kept: _Kept) -> None:
    shown = warnings.showwarning

    def show(message, category, filename, lineno, file=None, line=None):
        kept.keep(f"{category.__name__}: {message}")
        shown(message, category, filename, lineno, file, line)

    warnings.showwarning = show
