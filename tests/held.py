"""`sage-jax` that waits before one step of a run until it is told to go on.

    HOLD_AT=2:FOLDER python held.py train ...

Each process leaves a file of its number in FOLDER when it gets there, and goes on when there is one
named `go`: whoever sends it a signal knows where the run stands.

Of several processes each keeps what it compiled. JAX lets the first alone write, but on CPUs every
process has a program of its own, which all but the first would compile in every run of the suite.
"""

import os
import sys
import time
from pathlib import Path

from jax._src import compiler, distributed

from sage_jax import cli
from sage_jax.run.events import PhaseStarted

LISTENER = "{use: held:hold, all_processes: true}"


def hold(event) -> None:
    """A listener that waits before the step that `HOLD_AT` names."""
    if "HOLD_AT" not in os.environ:
        return
    place, _, folder = os.environ["HOLD_AT"].partition(":")
    if isinstance(event, PhaseStarted) and (event.name, event.done) == ("step", int(place)):
        (Path(folder) / str(os.getpid())).touch()
        while not (Path(folder) / "go").exists():
            time.sleep(0.02)


def keep_programs_of_all() -> None:
    """Let processes other than the first write into the cache of compiled programs too."""
    write = compiler._cache_write

    def written(*args):
        own = distributed.global_state.process_id
        distributed.global_state.process_id = 0
        try:
            write(*args)
        finally:
            distributed.global_state.process_id = own

    compiler._cache_write = written


def wait_until_held(folder: Path, children, seconds: float = 600.0) -> None:
    """Return when all processes wait.

    Raises:
        AssertionError: if one ends before.
    """
    end = time.monotonic() + seconds
    while not all((folder / str(child.pid)).exists() for child in children):
        assert all(child.poll() is None for child in children), "it ended before the step"
        assert time.monotonic() < end
        time.sleep(0.02)


if __name__ == "__main__":
    keep_programs_of_all()
    cli.main([*sys.argv[1:], "--listeners", LISTENER])
