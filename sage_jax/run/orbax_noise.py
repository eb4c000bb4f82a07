"""What Orbax prints of a write that failed, beside the one line that says it."""

import functools
import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any

# Importing it makes the logger "absl" one that knows who called; made here, it would not.
import orbax.checkpoint as _  # noqa: F401


def mute() -> None:
    """Drop the traces of a failed write from here on; the error itself is raised and told.

    They are: a log of each thread's trace, a log of each write that failed after the first and
    was asked by nobody, an ignored exception for each that ended when the loop was closed, and a
    warning for each that had not begun.
    """
    logging.getLogger("absl").addFilter(_not_orbax)
    warnings.filterwarnings("ignore", "coroutine 'async_serialize.* was never awaited")
    logging.getLogger("asyncio").addFilter(_not_forgotten)
    if getattr(sys.unraisablehook, "func", None) is not _unless_loop_closed:
        sys.unraisablehook = functools.partial(_unless_loop_closed, sys.unraisablehook)


def _not_orbax(record: logging.LogRecord) -> bool:
    return "orbax" not in record.pathname


def _not_forgotten(record: logging.LogRecord) -> bool:
    return "exception was never retrieved" not in record.getMessage()


def _unless_loop_closed(hook: Callable[[Any], None], ignored: Any) -> None:
    if str(ignored.exc_value) != "Event loop is closed":
        hook(ignored)
