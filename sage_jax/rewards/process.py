"""One worker process as its pool sees it: start, ask under a deadline, kill."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from sage_jax.rewards import frames

START_S = 120.0
# A machine under load slows the wall clock, not the clock of the worker's own work.
WALL_PER_DEADLINE = 5.0
_POLL_S = 0.02


class WorkerDied(Exception):
    """The worker process ended without answering."""


class WorkerOverdue(Exception):
    """The worker process took longer than the deadline."""


class WorkerProcess:
    """A running worker. Any exception of `ask` leaves it unusable: kill it and start another."""

    def __init__(self, settings: Mapping[str, Any]):
        self._buffer = b""
        self._ready = False
        self._process = subprocess.Popen(
            # -P and the parent's own path: a file math.py in the current folder is not imported.
            [sys.executable, "-P", "-c", "from sage_jax.rewards.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=_environment(),
            process_group=0,  # Ctrl-C at the terminal is the parent's to handle
        )
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        try:
            self._send(frames.encode(settings), limit_s=START_S)
        except (WorkerDied, WorkerOverdue):
            self.kill()  # nobody else knows of it yet
            raise

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Wait until imports and warm-up are done; they count against no deadline."""
        if self._ready:
            return
        try:
            greeting = self._receive(limit_s=START_S)
        except WorkerOverdue:
            raise WorkerDied(f"not ready within {START_S:g} s") from None
        if "error" in greeting:
            raise WorkerDied(greeting["error"])
        self._ready = True

    def ask(self, question: bytes, *, deadline_s: float) -> dict[str, Any]:
        """Send a question, which is a frame, and wait for the reply.

        The deadline is in seconds of the worker's CPU time, so that the verdict does not hang on
        how busy the machine is; five times as much on the wall clock ends it in any case.

        Raises:
            WorkerOverdue: at the deadline.
            WorkerDied: if the process ends first.
        """
        self.wait_ready()
        limit_s = WALL_PER_DEADLINE * deadline_s
        self._send(question, limit_s=limit_s)
        return self._receive(limit_s=limit_s, cpu_limit_s=deadline_s)

    def kill(self) -> None:
        """End the process and all that it started, and collect it; safe to call again."""
        self._collect()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def signal_end(self) -> None:
        """Make the process end without waiting for it; its owner sees `WorkerDied`."""
        if self._process.returncode is None:  # Else its number may be another's by now.
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)

    def _collect(self) -> int:
        # What it started goes first: nothing finds that any more once the process is collected.
        self.signal_end()
        return self._process.wait()

    def _send(self, frame: bytes, *, limit_s: float) -> None:
        assert self._process.stdin is not None
        poll, until = select.poll(), time.monotonic() + limit_s
        left = memoryview(frame)
        try:
            poll.register(self._process.stdin.fileno(), select.POLLOUT)
            while left:
                poll.poll(_POLL_S * 1000)
                left = left[self._process.stdin.write(left) or 0 :]
                if left and time.monotonic() >= until:
                    raise WorkerOverdue("it takes no input")
        except (BrokenPipeError, ValueError) as error:
            raise WorkerDied("its input is closed") from error

    def _receive(self, *, limit_s: float, cpu_limit_s: float = float("inf")) -> dict[str, Any]:
        started, cpu_started = time.monotonic(), self._cpu_s()
        while (reply := self._reply()) is None:
            if not self._more():
                over = time.monotonic() - started >= limit_s
                if over or self._cpu_s() - cpu_started >= cpu_limit_s:
                    raise WorkerOverdue
        self._buffer = b""
        return reply

    def _reply(self) -> dict[str, Any] | None:
        try:
            return frames.decode(self._buffer)
        except ValueError:
            raise WorkerDied("it wrote what is no reply") from None

    def _more(self) -> bool:
        """Read what has come within a moment; whether anything has."""
        assert self._process.stdout is not None
        poll = select.poll()
        poll.register(self._process.stdout.fileno(), select.POLLIN)
        if not poll.poll(_POLL_S * 1000):
            return False
        chunk = os.read(self._process.stdout.fileno(), 65536)
        if not chunk:
            raise WorkerDied(f"exit status {self._collect()}")
        self._buffer += chunk
        return True

    def _cpu_s(self) -> float:
        """CPU time of the worker; the wall clock where the system does not tell."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)  # clock_getcpuclockid(3) on Linux
        except (AttributeError, OSError):
            return time.monotonic()


def _environment() -> dict[str, str]:
    path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)
    # A fixed hash seed: the order of a set must not differ between workers.
    return {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
