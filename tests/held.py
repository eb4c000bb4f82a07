"""`sage-jax` that waits before one step of a run until it is told to go on.

    HOLD_AT=2:FOLDER python held.py train ...

Each process leaves a file of its number in FOLDER when it gets there, and goes on when there is one
named `go`: whoever sends it a signal knows where the run stands.
"""

import os
import time
from pathlib import Path

from sage_jax import cli
from sage_jax.train import loop


def hold(place: int, folder: Path) -> None:
    """Let the loop wait before the step numbered `place`."""
    make_step = loop.make_step

    def wait():
        (folder / str(os.getpid())).touch()
        while not (folder / "go").exists():
            time.sleep(0.02)

    def made(*args):
        run = make_step(*args)

        def held(state, step, cursor):
            if step == place:
                wait()
            return run(state, step, cursor)

        return held

    loop.make_step = made


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
    if "HOLD_AT" in os.environ:
        place, _, folder = os.environ["HOLD_AT"].partition(":")
        hold(int(place), Path(folder))
    cli.main()
