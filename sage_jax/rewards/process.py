"""One verifier worker process as its pool sees it: start, ask under a deadline, kill."""

import contextlib
import os
import select
import subprocess
import sys
import time
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

    def __init__(self, *, memory_limit: int, alarm_s: float, recycle_after: int):
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
        try:
            self._send(
                {"memory_limit": memory_limit, "alarm_s": alarm_s, "recycle_after": recycle_after}
            )
        except WorkerDied:
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
        greeting = self._receive(limit_s=START_S)
        if "error" in greeting:
            raise WorkerDied(greeting["error"])
        self._ready = True

    def ask(self, question: dict[str, Any], *, deadline_s: float) -> dict[str, Any]:
        """Send a question and wait for the reply.

        The deadline is in seconds of the worker's CPU time, so that the verdict does not hang on
        how busy the machine is; five times as much on the wall clock ends it in any case.

        Raises:
          WorkerOverdue: at the deadline.
          WorkerDied: if the process ends first.
        """
        self.wait_ready()
        self._send(question)
        return self._receive(limit_s=WALL_PER_DEADLINE * deadline_s, cpu_limit_s=deadline_s)

    def kill(self) -> None:
        """End the process at once and collect it; safe to call again."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def signal_end(self) -> None:
        """Make the process end without waiting for it; its owner sees `WorkerDied`."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        left = memoryview(frames.encode(message))
        try:
            while left:
                left = left[self._process.stdin.write(left) :]
        except (BrokenPipeError, ValueError) as error:
            raise WorkerDied("its input is closed") from error

    def _receive(self, *, limit_s: float, cpu_limit_s: float = float("inf")) -> dict[str, Any]:
        started, cpu_started = time.monotonic(), self._cpu_s()
        while (reply := frames.decode(self._buffer)) is None:
            if not self._more():
                over = time.monotonic() - started >= limit_s
                if over or self._cpu_s() - cpu_started >= cpu_limit_s:
                    raise WorkerOverdue
        self._buffer = b""
        return reply

    def _more(self) -> bool:
        """Read what has come within a moment; whether anything has."""
        assert self._process.stdout is not None
        poll = select.poll()
        poll.register(self._process.stdout.fileno(), select.POLLIN)
        if not poll.poll(_POLL_S * 1000):
            return False
        chunk = os.read(self._process.stdout.fileno(), 65536)
        if not chunk:
            raise WorkerDied(f"exit status {self._process.wait()}")
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
