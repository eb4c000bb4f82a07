"""The laboratory: every arm on the puzzle of programs, in pairs that share warm-start and draws.

    python -m studies.laboratory --quick --out /tmp/quick.jsonl  # whether it runs, in a minute
    python -m studies.laboratory --part 0/2 &             # the whole of it, by two processes
    python -m studies.laboratory --part 1/2

It appends a line for each run to `studies/results/laboratory.jsonl`, goes on where it stopped, and
`python -m studies.tables` makes the tables and plots of docs/study.md of what is there.
"""

import argparse
import functools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax import models
from sage_jax.learn import Policy
from studies import store
from studies.arms import BETWEEN, CORE, DOSES, FEW, RIVALS, SCHEDULED, WEAKER, Arm
from studies.figures import figures
from studies.runs import Run, evaluate, train, warm_start
from studies.setting import Setting

MAIN = Setting()
SETTINGS = {
    "main": MAIN,
    "sixteen": Setting(programs=16, hidden_size=64),
    # A size alone: four times the weights of "main", the same puzzle.
    "wide": Setting(hidden_size=96),
    "quiet": Setting(noise=0.05, least_followed=0.66, after=MAIN, warmup_steps=500),
    # Values are as open as the gate's threshold: it cannot tell them from forks.
    "loud": Setting(noise=0.3, least_followed=0.14, after=MAIN, warmup_steps=500),
    "brackets": Setting(task="brackets", hidden_size=64, least_followed=0.0),
}
QUICK = Setting(
    warmup_steps=20, least_followed=0.0, steps=4, num_prompts=4, group_size=4, problems=16
)
RESULTS = Path(__file__).parent / "results" / "laboratory.jsonl"


class Block(NamedTuple):
    """Runs of some arms on one setting at one learning rate.

    Attributes:
        setting: key of `SETTINGS`.
        arms: all with all their coefficients.
        learning_rate: highest, at the first step.
        pairs: how many; pair i has warm-start i % 5 and seed i // 5.
    """

    setting: str
    arms: Sequence[Arm]
    learning_rate: float
    pairs: int


PLAN = (
    Block("main", CORE, 1e-3, 10),
    Block("sixteen", FEW, 1e-3, 10),
    Block("main", RIVALS, 1e-3, 10),
    Block("main", DOSES, 1e-3, 10),
    Block("main", SCHEDULED, 1e-3, 10),
    Block("main", FEW, 3e-4, 10),
    Block("wide", FEW, 1e-3, 10),
    Block("quiet", FEW, 1e-3, 10),
    Block("loud", FEW, 1e-3, 10),
    Block("loud", BETWEEN, 1e-3, 10),
    Block("brackets", FEW, 1e-3, 10),
    Block("sixteen", WEAKER, 1e-3, 10),
)
BASES = 5
_ROUNDS = 6


class Job(NamedTuple):
    """One run."""

    setting: str
    base: int
    seed: int
    arm: Arm
    kl_coef: float
    learning_rate: float

    @property
    def row(self) -> dict[str, Any]:
        """What its line says of it."""
        own = {"setting": self.setting, "base": self.base, "seed": self.seed, "arm": self.arm.name}
        own |= {"constants": dict(self.arm.constants), "kl_coef": self.kl_coef}
        return own | {"learning_rate": self.learning_rate}


def jobs(plan: Sequence[Block]) -> Iterator[Job]:
    """All runs of a plan, pair by pair, so that what is done is paired at any time."""
    for block in plan:
        for pair in range(block.pairs):
            for arm in block.arms:
                for coef in arm.kl_coefs:
                    seed, base = divmod(pair, BASES)
                    yield Job(block.setting, base, seed, arm, coef, block.learning_rate)


class Laboratory:
    """Compiled runs of one setting, and its warm-starts, each made once in a folder."""

    def __init__(self, setting: Setting, folder: Path):
        self.setting, self.folder = setting, folder
        self.policy: Policy = setting.policy()
        self._evaluate = jax.jit(functools.partial(evaluate, setting, self.policy))
        self._before = setting.after and Laboratory(setting.after, folder)
        self._warm_up = jax.jit(functools.partial(warm_start, setting, self.policy))

    @functools.cache  # noqa: B019 - lives as long as the program.
    def base(self, number: int) -> tuple[int, Any]:
        """Rounds of warm-up after which a model computes, and its weights, which all arms share."""
        params = self._fresh(number)
        for done in range(_ROUNDS):
            params = self._warmed(params, number, done)
            if self._evaluate(params).followed.mean() >= self.setting.least_followed:
                return done + 1, params
        raise SystemExit(f"{_ROUNDS} warm-ups of {self.setting} have not taught it to compute")

    def _fresh(self, number: int) -> Any:
        if self._before is not None:
            return self._before.base(number)[1]
        return models.init(self.policy.loaded.config, jax.random.key(number))[1]

    def _warmed(self, params: Any, number: int, done: int) -> Any:
        """The weights after one more round, from a file where they have been made."""
        path = self.folder / f"{_digest(self.setting)}-{number}-{done}.npz"
        if not path.exists():
            _save(path, self._warm_up(params, jax.random.key(1000 * done + number)))
        return _load(path, params)

    @functools.cache  # noqa: B019
    def _train(self, make: Any) -> Any:
        return jax.jit(functools.partial(train, self.setting, self.policy, make))

    def run(self, job: Job) -> dict[str, Any]:
        """The line of a run."""
        (_, base), began = self.base(job.base), time.perf_counter()
        values = {**job.arm.constants, "kl_coef": job.kl_coef, "learning_rate": job.learning_rate}
        # Of the pair alone: all arms see the same prompts and draws.
        key = jax.random.fold_in(jax.random.key(job.seed), 1000 + job.base)
        found: Run = self._train(job.arm.make)(
            base, {n: jnp.float32(v) for n, v in values.items()}, key
        )
        kept = figures(found.judged) | {"kl": float(found.kl), "entropy": float(found.entropy)}
        return job.row | kept | {"seconds": round(time.perf_counter() - began, 2)}

    @functools.cache  # noqa: B019
    def judged(self, number: int, name: str) -> dict[str, Any]:
        """The line of a warm-start itself."""
        job = Job(name, number, 0, Arm("base", lambda values: {}), 0.0, 0.0)
        rounds, params = self.base(number)
        return job.row | {"rounds": rounds} | figures(self._evaluate(params))


def main(words: Sequence[str] | None = None) -> None:
    """Run what is missing."""
    given = _parser().parse_args(words)
    plan = quick_plan() if given.quick else [b for b in PLAN if given.only in ("", b.setting)]
    settings = {"main": QUICK} if given.quick else SETTINGS
    labs: dict[str, Laboratory] = {}
    done = {store.name(row) for row in store.read(given.out)}
    own, of = map(int, given.part.split("/"))
    for job in jobs(plan):
        # Whole pairs to each process: a warm-start is then made by one of them.
        if job.base % of != own or store.name(job.row) in done:
            continue
        if job.setting not in labs:
            labs[job.setting] = Laboratory(settings[job.setting], given.cache)
        lab = labs[job.setting]
        base = lab.judged(job.base, job.setting)
        for row in (base, lab.run(job)) if store.name(base) not in done else (lab.run(job),):
            store.append(given.out, row)
            done.add(store.name(row))
            print(_said(row), flush=True)


def quick_plan() -> list[Block]:
    """One pair of plain k3 and of the gate, each once."""
    arms = [arm for arm in CORE if arm.name in ("k3", "gated, ref")]
    return [
        Block("main", [Arm(a.name, a.make, a.constants, a.kl_coefs[:1]) for a in arms], 1e-3, 1)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.laboratory", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="one pair of two arms, of a few steps")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON Lines to append to")
    parser.add_argument(
        "--cache", type=Path, default=RESULTS.parent / "warm_starts", help="of warm-starts"
    )
    parser.add_argument("--part", default="0/1", help="i/n: this process of n takes bases i mod n")
    parser.add_argument("--only", default="", help="one setting: " + ", ".join(SETTINGS))
    return parser


def _save(path: Path, params: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, *map(np.asarray, jax.tree.leaves(params)))
    part.replace(path)


def _load(path: Path, like: Any) -> Any:
    leaves, tree = jax.tree.flatten(like)
    with np.load(path) as file:
        return jax.tree.unflatten(tree, [jnp.asarray(file[f"arr_{n}"]) for n in range(len(leaves))])


def _digest(setting: Setting) -> str:
    own = {n: getattr(setting, n) for n in ("programs", "noise", "hidden_size", "rope_theta")}
    own |= {n: getattr(setting, n) for n in ("warmup_steps", "warmup_batch", "warmup_rate")}
    return "-".join([setting.task, *(f"{value:g}" for value in own.values())])


def _said(row: dict[str, Any]) -> str:
    where = f"{row['setting']} base {row['base']} seed {row['seed']} lr {row['learning_rate']:g}"
    what = " ".join(f"{row[f'pass@{k}']:.3f}" for k in (1, 16, 64))
    took = f"  {row['seconds']} s" if "seconds" in row else ""
    return f"{where}  {row['arm']} @{row['kl_coef']:g}  {what}{took}"


if __name__ == "__main__":
    main()
