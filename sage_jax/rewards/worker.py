"""What runs inside a verifier worker process: read a question, judge it, write the verdict.

Imports neither jax nor the program that started it. It ends when its input closes, so that no
worker outlives its pool; and since a worker in the middle of C code would not notice, the kernel
itself ends it (an alarm at its default action) some time after any deadline.
"""

import contextlib
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

from sage_jax.rewards import frames
from sage_jax.rewards.math import CORRECT, MEMORY, judge

_WARM_UP = ((r"\frac{1}{2}+x", r"x+\frac{2}{4}"), (r"\sqrt{8}", r"2\sqrt{2}"), ("(1,2]", "(1,2]"))


def main() -> None:
    """Serve questions from standard input until it closes."""
    source, sink = sys.stdin.buffer, _private_output()
    settings = _read(source)
    if settings is None:
        return
    try:
        _prepare(settings["memory_limit"])
    except Exception as error:
        _write(sink, {"error": f"{type(error).__name__}: {error}"})
        return
    _write(sink, {"ready": True})
    _serve(source, sink, **settings)


def _serve(
    source: BinaryIO, sink: BinaryIO, *, alarm_s: float, recycle_after: int, memory_limit: int
) -> None:
    answered = 0
    while (question := _read(source)) is not None:
        signal.setitimer(signal.ITIMER_REAL, alarm_s)
        reply = reply_to(**question)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answered += 1
        last = answered >= recycle_after or reply["reason"] == MEMORY or _grown(memory_limit)
        _write(sink, {**reply, "last": last})
        if last:
            return


def reply_to(answer: str, gold: str, question: str = "") -> dict[str, Any]:
    """Judge one extracted answer; whatever it raises becomes a reason."""
    started = time.perf_counter()
    try:
        reason = judge(answer, gold, question)
    except MemoryError:
        reason = MEMORY
    return {"reason": reason, "seconds": time.perf_counter() - started}


def _grown(memory_limit: int) -> bool:
    """Whether this process holds half its limit: what it has kept would burden the next answer."""
    return _resident_bytes() > memory_limit // 2


def _resident_bytes() -> int:
    # Not ru_maxrss where it can be helped: on Linux a child starts with its parent's, and the
    # parent is a trainer of many gigabytes.
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _prepare(memory_limit: int) -> None:
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for gold, text in _WARM_UP:
        if judge(text, gold) != CORRECT:
            raise RuntimeError(f"math-verify does not find {text} equal to {gold}")
    _forbid_evaluation()
    # Not every system lets a process limit its address space; the deadline still holds there.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_limit, memory_limit))


def _forbid_evaluation() -> None:
    """Take out the one way in sympy from text to Python's eval; nothing here needs it."""
    from sympy.parsing import sympy_parser

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("text is not evaluated")

    sympy_parser.parse_expr = sympy_parser.eval_expr = refuse


def _private_output() -> BinaryIO:
    """Keep the pipe to the parent for frames only: a stray print goes nowhere."""
    sink = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return sink


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
