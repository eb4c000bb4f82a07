"""The real model's runs as rows of the laboratory: `python -m studies.real`.

The runs themselves are the library's own, one folder of arms for each seed, and go on where they
stopped; docs/study.md has the command. This reads every arm that is done, beside rows of earlier
ones, whose folders may be gone, and
`python -m studies.tables --results studies/results/real.jsonl` makes the table.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sage_jax.data.styles import STYLES
from sage_jax.evaluate import EvalResult
from sage_jax.evaluate.modes import exact_effective_modes
from sage_jax.evaluate.runs import Run, read_runs
from studies import beginnings, store

RUNS, RESULTS = Path("runs/smollm2_styles"), Path(__file__).parent / "results" / "real.jsonl"
KS = (1, 4, 16, 64)
KEPT = 0.01  # Of a problem's samples, which have to be right in a style for it to be kept.
_LAST = 0.1  # Of the steps, over which KL and entropy are averaged.


def rows(runs: Iterable[Run]) -> Iterator[dict[str, Any]]:
    """A line for the base of each seed, and one for each arm that is done.

    An arm is named by what stands before the first "-" of its folder's name, so that those of
    several coefficients are one.
    """
    runs, judged = [*runs], set()
    for run in runs:
        if run.base is None or run.final is None or run.final.tag != "final":
            continue
        if run.config["seed"] not in judged:
            judged.add(run.config["seed"])
            own = [one for one in runs if one.config["seed"] == run.config["seed"]]
            base = figures(run.base) | counts(run.base) | _written(own, run.base)
            yield _named(run, "base", {}, 0.0, 0.0) | base
        arm, config = run.path.name.partition("-")[0], run.config
        guide = _constants(config["guide"])
        rate, coef = config["optimizer"]["learning_rate"], config["loss"]["kl_coef"]
        found = figures(run.final) | counts(run.final) | _written([run], run.final)
        yield _named(run, arm, guide, coef, rate) | found | _while_training(run)


def figures(result: EvalResult) -> dict[str, float]:
    """Means over problems: pass@k, styles kept, and their effective number among right samples.

    `modes/kept` is the share of the styles in which 1% or more of a problem's samples are right,
    `modes/effective` exp of the entropy over ways of being right, of problems that were solved.
    """
    kept = [
        sum(problem.modes.get(style, 0) >= KEPT * problem.samples for style in STYLES)
        for problem in result.problems
    ]
    solved = [[*problem.modes.values()] for problem in result.problems if problem.correct]
    table = result.pass_table(ks := [k for k in KS if k <= result.samples]).mean(axis=0)
    return {f"pass@{k}": float(value) for k, value in zip(ks, table, strict=True)} | {
        "modes/kept": float(np.mean(kept)) / len(STYLES),
        "modes/effective": float(np.mean([*map(exact_effective_modes, solved)])) if solved else 0.0,
    }


def counts(result: EvalResult) -> dict[str, Any]:
    """What figures and their intervals over problems are made of: right samples, all and by style.

    Problems are in the order of their ids, which all arms of a seed share.
    """
    problems = sorted(result.problems, key=lambda problem: problem.id)
    return {
        "samples": result.samples,
        "correct": [problem.correct for problem in problems],
        "styles": [[problem.modes.get(style, 0) for style in STYLES] for problem in problems],
    }


def _written(runs: Sequence[Run], result: EvalResult) -> dict[str, Any]:
    """What completions begin with, of the first run that keeps them, as arms share a base's."""
    kept = ([*run.completions(result)] for run in runs)
    found = next(filter(None, kept), [])
    return beginnings.count(found) if found else {}


def _constants(guide: str | dict[str, Any]) -> dict[str, Any]:
    """The arguments of a guide, which without any is its name alone."""
    return {} if isinstance(guide, str) else {n: v for n, v in guide.items() if n != "use"}


def _named(
    run: Run, arm: str, constants: dict[str, Any], kl_coef: float, rate: float
) -> dict[str, Any]:
    # Each seed has a warm-start of its own.
    seed, setting = run.config["seed"], run.path.parent.parent.name
    values = (setting, seed, seed, arm, constants, kl_coef, rate)
    return dict(zip(store.NAMED, values, strict=True))


def _while_training(run: Run) -> dict[str, float]:
    last = -max(round(_LAST * len(run.metrics["step"])), 1)
    # Without a KL there is no reference to be far from.
    kl = run.metrics.get("kl/reference")
    known = {} if kl is None else {"kl": float(kl[last:].mean())}
    return known | {
        "entropy": float(run.metrics["entropy"][last:].mean()),
        "seconds": float(run.metrics["time"][-1]),
    }


def main(words: Sequence[str] | None = None) -> None:
    """Write the rows of all that is there."""
    parser = argparse.ArgumentParser(prog="python -m studies.real", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder with one of arms a seed")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON Lines, rows by run")
    given = parser.parse_args(words)
    # Of a seed that is being warmed up there is nothing yet.
    seeds = sorted({path.parents[1] for path in given.runs.glob("*/*/config.yaml")})
    kept = {store.name(row): row for row in store.read(given.out)}
    kept |= {store.name(row): row for row in rows(read_runs(seeds))}
    store.write(given.out, kept.values())


if __name__ == "__main__":
    main()
