"""A contestant's side of a contest: JSON lines in, JSON lines out, one run at a time.

The first line read is the task. The contestant loads and warms up, says so, and then answers each
`{"seed": n}` with what it did; it ends with its input. Whatever else it prints goes to stderr.
"""

import ctypes
import importlib.metadata
import json
import os
import platform
import signal
import sys
import time

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch", "transformers", "trl", "peft",
            "accelerate", "google-tunix")  # fmt: skip


class Channel:
    """The two pipes to the contest; from here on, nobody else writes to standard output."""

    def __init__(self):
        _die_with_parent()
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)
        self.task = self.receive()

    def receive(self):
        """The next message, or the end of the process where there is none."""
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        return json.loads(line)

    def ready(self, **facts):
        """Say that what follows may be timed."""
        self._out.write(json.dumps({"ready": True, "versions": versions(), **facts}) + "\n")

    def answer(self, result):
        """Say what a run did."""
        self._out.write(json.dumps(result) + "\n")


def _die_with_parent():
    """Or a process that was stopped for another's turn would stay for ever (Linux only)."""
    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def serve(open_task):
    """Serve a contestant.

    `open_task` maps the task to a function of a seed that does the work and returns what it did, a
    dict; it is timed as a whole. `warming` tells it that nobody is watching: what compiles must do
    all the same work, the others may do less.
    """
    channel = Channel()
    run = open_task(channel.task)
    for warmup in range(channel.task["warmups"]):
        run(10_000 + warmup, warming=True)
    channel.ready()
    while True:
        seed = channel.receive()["seed"]
        begun = time.perf_counter()
        result = run(seed)
        channel.answer({"seconds": time.perf_counter() - begun, **result})


def versions():
    """Of Python and of those packages that this environment has."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
