"""What runs inside a worker process: build a function, read questions, answer them with it.

Imports neither jax nor the program that started it. It ends when its input closes, so that no
worker outlives its pool; and since a worker in the middle of C code would not notice, the kernel
itself ends it (an alarm at its default action) some time after any deadline.
"""

import contextlib
import importlib
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from sage_jax.rewards import frames
from sage_jax.rewards.math import MEMORY
from sage_jax.telling import line

Answer = Callable[..., dict[str, Any]]


def main() -> None:
    """Serve questions from standard input until it closes."""
    source, sink = _private_pipes()
    settings = _read(source)
    if settings is None:
        return
    try:
        answer = _built(settings.pop("use"), settings.pop("options"))
        _limit(settings["memory_limit"])
    except (Exception, SystemExit) as error:
        _write(sink, {"error": f"{type(error).__name__}: {line(error)}"})
        return
    _write(sink, {"ready": True})
    _serve(source, sink, answer, **settings)


def _built(use: str, options: dict[str, Any]) -> Answer:
    """What `module:function` makes of its options: the function that answers."""
    logging.disable(logging.CRITICAL)
    module, _, name = use.partition(":")
    return getattr(importlib.import_module(module), name)(**options)


def _limit(memory_limit: int) -> None:
    """Let the process map so much more than it has by now."""
    # Not every system lets a process limit its address space; the deadline still holds there.
    with contextlib.suppress(OSError, ValueError):
        most = memory_limit + _pages(0)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _serve(
    source: BinaryIO,
    sink: BinaryIO,
    answer: Answer,
    *,
    alarm_s: float,
    recycle_after: int,
    memory_limit: int,
) -> None:
    answered, own, before = 0, os.getpid(), _resident_bytes()
    while (question := _read(source)) is not None:
        # A function may have used the alarm for itself.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, alarm_s)
        reply = reply_to(answer, question)
        if os.getpid() != own:  # It forked, and this is the child.
            os._exit(0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answered += 1
        # What it has kept would burden the next answer.
        grown = _resident_bytes() - before > memory_limit // 2
        last = answered >= recycle_after or reply.get("reason") == MEMORY or grown
        _write(sink, {**reply, "last": last})
        if last:
            return


def reply_to(answer: Answer, question: dict[str, Any]) -> dict[str, Any]:
    """Answer one question; a lack of memory becomes a reason."""
    started = time.perf_counter()
    try:
        reply = answer(**question)
    except MemoryError:
        reply = {"reason": MEMORY}
    return {**reply, "seconds": time.perf_counter() - started}


def _resident_bytes() -> int:
    # Not ru_maxrss where it can be helped: on Linux a child starts with its parent's, and the
    # parent is a trainer of many gigabytes.
    with contextlib.suppress(OSError):
        return _pages(1)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _pages(field: int) -> int:
    """Bytes that are mapped (0) or resident (1)."""
    return int(Path("/proc/self/statm").read_text().split()[field]) * resource.getpagesize()


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes to the parent for frames: what else is read is empty, and prints go nowhere.

    A process that is started here would otherwise read questions.
    """
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    return source, sink


def _read(source: BinaryIO) -> dict[str, Any] | None:
    header = source.read(frames.HEADER.size)
    if len(header) < frames.HEADER.size:
        return None
    return frames.decode(header + source.read(frames.HEADER.unpack(header)[0]))


def _write(sink: BinaryIO, message: dict[str, Any]) -> None:
    # A closed pipe means that the pool is gone; the next read ends the loop.
    with contextlib.suppress(BrokenPipeError):
        sink.write(frames.encode(message))
        sink.flush()
