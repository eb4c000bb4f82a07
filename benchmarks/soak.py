"""Train for an hour and watch whether anything grows: memory, threads, open files, step time.

python benchmarks/soak.py

The run is stopped by SIGTERM. Of each figure: its slope an hour over what follows the settling,
with the 95% interval. Readings close in time are alike, so the slope is taken of the means of 20
equal stretches (`scipy.stats.linregress`, Student's t with 18 degrees of freedom).
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import results
import scipy.stats
import tyro

from sage_jax import config as configs

STRETCHES = 20


@dataclass(frozen=True)
class Arguments:
    """How long, and what is trained.

    Args:
        config: the run; its arms are left out.
        minutes: from the first step on.
        settling: share of the time at the start that no slope is taken of.
        every: seconds between two readings.
    """

    config: Path = Path("configs/quickstart.yaml")
    minutes: float = 60.0
    settling: float = 0.1
    every: float = 5.0


def main(arguments: Arguments) -> None:
    """Train, read, and write down the slopes."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "run"
        child = start(arguments.config, Path(home) / "soak.yaml", folder)
        try:
            readings = watch(child, folder, arguments)
        finally:
            child.send_signal(signal.SIGTERM)
        left = child.wait(timeout=600)
        steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    if left != 143:
        raise SystemExit(f"left with {left}, not 143, when it was told to end")
    figures = slopes(readings, steps, settling=arguments.settling)
    rows = [[name, f"{one['first']:.6g}", f"{one['last']:.6g}", said(one)]
            for name, one in figures.items()]  # fmt: skip
    head = ["figure", "first stretch", "last stretch", "slope an hour (95% interval)"]
    text = f"{len(steps):,} steps\n\n" + results.table(head, rows)
    given = results.command(arguments, Arguments(), "soak.py")
    results.write("soak", given, {"steps": len(steps), "figures": figures}, text)


def start(source: Path, config: Path, folder: Path) -> subprocess.Popen:
    """Begin a run that has no end of its own."""
    whole = configs.load(source).model_dump(mode="json") | {"arms": {}}
    endless = {"train": {"steps": 100_000_000}}
    config.write_text(configs.dump(configs.override(configs.parse(whole, origin="soak"), endless)))
    command = [sys.executable, "-m", "sage_jax.cli", "train", str(config), "--run_dir", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def watch(child: subprocess.Popen, folder: Path, arguments: Arguments) -> list[dict[str, float]]:
    """Readings from the first step on, until the time is over."""
    while not (folder / "metrics.jsonl").exists() and child.poll() is None:
        time.sleep(1)
    begun, readings = time.monotonic(), []
    while (passed := time.monotonic() - begun) < 60 * arguments.minutes:
        if child.poll() is not None:
            raise SystemExit(f"ended by itself with {child.returncode} after {passed:.0f} s")
        readings.append({"hours": passed / 3600} | read(child.pid))
        time.sleep(arguments.every)
    return readings


def read(pid: int) -> dict[str, float]:
    """Memory, threads and open files of a process and of those it started."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {
        "memory (MiB)": sum(one.memory_info().rss for one in family) / 2**20,
        "threads": sum(one.num_threads() for one in family),
        "open files": sum(one.num_fds() for one in family),
        "processes": len(family),
    }


def slopes(
    readings: list[dict[str, float]], steps: list[dict[str, float]], *, settling: float
) -> dict[str, dict[str, float]]:
    """Of each figure: first and last stretch, slope an hour, and half the width of its interval."""
    hours = np.array([one["hours"] for one in readings])
    found = {name: slope(hours, np.array([one[name] for one in readings]), settling=settling)
             for name in readings[0] if name != "hours"}  # fmt: skip
    seconds = np.array([one["seconds/whole"] for one in steps])
    clock = np.array([one["time"] for one in steps]) / 3600
    return found | {"step (s)": slope(clock, seconds, settling=settling)}


def slope(hours: np.ndarray, values: np.ndarray, *, settling: float) -> dict[str, float]:
    """A straight line through the means of equal stretches; a constant has the slope 0 ± 0."""
    late = hours >= hours[0] + settling * (hours[-1] - hours[0])
    x = np.array([part.mean() for part in np.array_split(hours[late], STRETCHES)])
    y = np.array([part.mean() for part in np.array_split(values[late], STRETCHES)])
    line = scipy.stats.linregress(x, y)
    # A constant has no scatter to divide by.
    half = scipy.stats.t.ppf(0.975, STRETCHES - 2) * line.stderr if np.ptp(y) else 0.0
    return {"first": y[0], "last": y[-1], "slope": float(line.slope), "half": float(half)}


def said(one: dict[str, float]) -> str:
    """A slope for the table."""
    return f"{one['slope']:+.3g} ± {one['half']:.2g}"


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    main(tyro.cli(Arguments))
