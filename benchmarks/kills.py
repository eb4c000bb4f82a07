"""Kill a run at random moments, restart it until it is done, and hold it to an undisturbed one.

python benchmarks/kills.py --kills 200

A tiny model is warmed up and trained. Each start is killed after a random time by SIGKILL or
SIGTERM; a run that ends before its kill is compared, bit for bit, with the undisturbed run, and the
next one begins in a new folder, until there were as many kills as asked for.
"""

import collections
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tyro

from sage_jax import config as configs

TINY = Path(__file__).parents[1] / "tests" / "tiny.yaml"
CLOCKS = ("time", "seconds/", "tokens_per_s/", "memory/")
_FOR_EVER = 3600.0
# After SIGTERM: saved, done all the same, or ended before the handlers were there.
LEAVES = {signal.SIGKILL: {0, -9}, signal.SIGTERM: {0, 143, -15}}


def start(config: Path, folder: Path) -> subprocess.Popen:
    """Begin or resume a run."""
    command = [sys.executable, "-m", "sage_jax.cli", "train", str(config), "--run_dir", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def phase(config: Path, folder: Path) -> str:
    """How far a run has come."""
    last = str(configs.load(config).train.steps)
    metrics = folder / "metrics.jsonl"
    steps = [
        ("start", folder / "config.yaml"),
        ("warm-up", folder / "base" / "config.json"),
        ("base evaluation", folder / "eval" / "base.json"),
        ("first step", metrics),
        ("training", folder / "checkpoints" / last),
        ("final evaluation", folder / "eval" / "final.json"),
    ]
    return next((name for name, path in steps if not path.exists()), "end")


def killed(config: Path, folder: Path, number: signal.Signals, seconds: float) -> str | None:
    """The phase that a start was killed in, or None if it was done before."""
    child = start(config, folder)
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(number)
        where = phase(config, folder)
    else:
        where = None
    _, said = child.communicate(timeout=600)
    allowed = {0} if where is None else LEAVES[number]
    if child.returncode not in allowed:
        raise SystemExit(f"left with {child.returncode} after {number.name} in {where}:\n{said}")
    return None if child.returncode == 0 else where


def outcome(config: Path, folder: Path) -> tuple[list[dict], list[np.ndarray], list[str]]:
    """Metrics but for clocks, all arrays of the state, and the evaluations."""
    from sage_jax.run import commands

    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    metrics = [{k: v for k, v in one.items() if not k.startswith(CLOCKS)} for one in lines]
    trained = commands.load_trained(folder, configs.load(config))
    import jax

    arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(trained.state)]
    names = sorted(path.name for path in (folder / "eval").glob("*.json"))
    evaluations = [name + (folder / "eval" / name).read_text() for name in names]
    return metrics, arrays, evaluations


def differences(left: tuple, right: tuple) -> list[str]:
    """What is not the same bits."""
    same = {
        "metrics": left[0] == right[0],
        "state": len(left[1]) == len(right[1])
        and all(a.dtype == b.dtype and (a.view(np.uint8) == b.view(np.uint8)).all()
                for a, b in zip(map(np.atleast_1d, left[1]), map(np.atleast_1d, right[1]),
                                strict=True)),
        "evaluations": left[2] == right[2],
    }  # fmt: skip
    return [name for name, equal in same.items() if not equal]


def main(kills: int = 200, seed: int = 0, steps: int = 60) -> None:
    """Kill, restart and compare.

    Args:
        kills: in all.
        seed: of the moments and signals.
        steps: of training.
    """
    draw = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as text:
        home, config = Path(text), Path(text) / "tiny.yaml"
        write_config(config, steps)
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(home / "cache"))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
        for name in ("warm", "undisturbed"):  # The first fills the cache of compiled programs.
            whole = undisturbed(config, home / name)
        truth = outcome(config, home / "undisturbed")
        print(f"undisturbed: {whole:.1f} s, {len(truth[0])} steps", flush=True)
        seen: collections.Counter = collections.Counter()
        for run in itertools.count():
            whole = disturbed(config, home / f"run-{run}", seen, kills, draw, whole)
            odd = differences(outcome(config, home / f"run-{run}"), truth)
            if odd:
                raise SystemExit(f"run {run} differs from the undisturbed one in {odd}")
            print(f"{seen.total()} kills, {run + 1} runs, all equal", flush=True)
            if seen.total() >= kills:
                break
        print(json.dumps({"kills": seen.total(), "runs": run + 1, "by phase": seen}, indent=1))


def write_config(path: Path, steps: int) -> None:
    """The tiny run, longer, with checkpoints and evaluations for kills to fall into."""
    options: dict[str, dict[str, int]] = {
        "warmup": {"steps": 60, "checkpoint_every": 20},
        "train": {"steps": steps, "checkpoint_every": 5, "eval_every": 20, "sample_every": 10},
    }
    path.write_text(configs.dump(configs.override(configs.load(TINY), options)))


def undisturbed(config: Path, folder: Path) -> float:
    """Seconds of a run that nobody kills."""
    begun = time.monotonic()
    if killed(config, folder, signal.SIGKILL, _FOR_EVER) is not None:
        raise SystemExit("the undisturbed run did not end")
    return time.monotonic() - begun


def disturbed(
    config: Path, folder: Path, seen: collections.Counter, kills: int, draw, whole: float
) -> float:
    """Kill a run and start it again until it is done or all kills are spent, counting in `seen`.

    Returns `whole`, the seconds of a run, or those of this one if nothing killed it and it was
    faster.
    """
    while True:
        number = (signal.SIGKILL, signal.SIGTERM)[int(draw.integers(2))]
        # Once all kills are spent the last run goes on to its end.
        patience = draw.uniform(0.3, whole) if seen.total() < kills else _FOR_EVER
        new, begun = not folder.exists(), time.monotonic()
        where = killed(config, folder, number, patience)
        if where is None:
            # On a machine that others use the first measurement may have been a slow one.
            return min(whole, time.monotonic() - begun) if new else whole
        seen[f"{number.name} {where}"] += 1


if __name__ == "__main__":
    tyro.cli(main)
