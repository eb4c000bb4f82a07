"""The real model's arms against each other, problem by problem.

    python -m studies.over_problems [--results studies/results/real.jsonl]

Intervals are 95% bootstrap intervals over the problems of all seeds. They say how sure a difference
of these trained models is, and not what another seed of training would give, for which
`studies.tables` is.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from sage_jax.evaluate.bootstrap import Interval, mean_intervals, resampled_means
from sage_jax.evaluate.modes import exact_effective_modes
from sage_jax.evaluate.passk import pass_at_k
from studies.frontier import Row, curve
from studies.markdown import table
from studies.printing import by_setting, print_results
from studies.real import KEPT, KS, RESULTS

Arm = tuple[str, float]
"""Name and coefficient."""

BASE: Arm = ("base", 0.0)
NO_KL: Arm = ("no_kl", 0.0)
FIGURES = (*(f"pass@{k}" for k in KS), "styles kept", "styles a problem")


def by_problem(row: Row) -> np.ndarray:
    """[Q, F] figures of each problem of a run, as `FIGURES` has them.

    `styles kept` is the share of styles in which 1% or more of a problem's samples are right,
    `styles a problem` exp of the entropy over styles of its right samples, 1 where there is none.
    """
    samples, correct = row["samples"], np.array(row["correct"])
    passed = [pass_at_k(correct, np.full(len(correct), samples), k) for k in KS]
    kept = (np.array(row["styles"]) >= KEPT * samples).mean(axis=1)
    effective = [exact_effective_modes(own) if any(own) else 1.0 for own in row["styles"]]
    return np.stack([*passed, kept, effective], axis=1)


def difference(rows: Sequence[Row], arm: Arm, other: Arm) -> list[Interval]:
    """Paired differences of the figures of two arms, over the seeds that have both; [] if none."""
    seeds = sorted({row["seed"] for row in rows})
    found = {_key(row): by_problem(row) for row in rows}
    pairs = [(found.get((seed, *arm)), found.get((seed, *other))) for seed in seeds]
    apart = [one - two for one, two in pairs if one is not None and two is not None]
    return mean_intervals(np.concatenate(apart)) if apart else []


def _key(row: Row) -> tuple[int, str, float]:
    return row["seed"], row["arm"], row["kl_coef"]


def above(rows: Sequence[Row], arm: Arm, line: Sequence[Arm]) -> list[Interval]:
    """How far the figures of an arm lie above a curve of arms at its pass@1; [] if no seed has all.

    The curve (monotone cubics) goes through the means of its arms in the order of their pass@1,
    anew for every redraw of the problems. Beyond its ends it is level.
    """
    found = {_key(row): by_problem(row) for row in rows}
    drawn = (arm, *line)
    seeds = [seed for seed in sorted({row["seed"] for row in rows})
             if all((seed, *one) in found for one in drawn)]  # fmt: skip
    if not seeds:
        return []
    own = np.stack([np.concatenate([found[seed, *one] for seed in seeds]) for one in drawn], 1)
    means = resampled_means(own.reshape(len(own), -1)).reshape(-1, *own.shape[1:])
    bounds = np.quantile([*map(_over, means)], [0.025, 0.975], axis=0)
    return [*map(Interval, _over(own.mean(axis=0)), *bounds)]


def _over(means: np.ndarray) -> np.ndarray:
    """Of [A, F] figures, the first arm's above the curve of the others at its first figure."""
    places = means[1:, 0]
    at = means[0, 0].clip(places.min(), places.max())
    return means[0, 1:] - curve(places, means[1:, 1:])(at)


def arms(rows: Sequence[Row]) -> list[Arm]:
    """All arms in the order of their first rows, the base left out."""
    return [*dict.fromkeys((row["arm"], row["kl_coef"]) for row in rows if row["arm"] != "base")]


def lines(rows: Sequence[Row]) -> Iterator[list[str]]:
    """A line of means for the base and each arm, with its difference from the base below."""
    for arm in (BASE, *arms(rows)):
        own = [by_problem(row) for row in rows if (row["arm"], row["kl_coef"]) == arm]
        if not own:  # Of the base, whose rows may be older than counts.
            continue
        means = np.concatenate(own).mean(axis=0)
        yield [title(arm), str(len(own)), *(f"{mean:.3f}" for mean in means)]
        if arm != BASE and (found := difference(rows, arm, BASE)):
            yield ["− base", "", *map(cell, found)]


def contrasts(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Each arm against k3 and the exact reverse KL at its own coefficient."""
    for name, coef in arms(rows):
        for other in ("k3", "exact"):
            found = difference(rows, (name, coef), (other, coef))
            if found and name not in ("k3", other):
                yield [f"{title((name, coef))} − {other}", *map(cell, found)]


def distances(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Each arm above the frontiers of k3 and of the exact reverse KL.

    A frontier goes from training without a KL over its own coefficients to the base, whose
    coefficient is without limit. An arm of it lies above the curve of the others by what the curve
    errs by at twice the distance.
    """
    for arm in arms(rows):
        for frontier in ("k3", "exact"):
            own = [one for one in arms(rows) if one[0] == frontier]
            line = [one for one in (BASE, NO_KL, *own) if one != arm]
            if own and arm != NO_KL and (found := above(rows, arm, line)):
                yield [f"{title(arm)} above {frontier}", *map(cell, found)]


def title(arm: Arm) -> str:
    """An arm in words."""
    return arm[0] if arm == BASE else f"{arm[0]} @{arm[1]:g}"


def cell(interval: Interval) -> str:
    """A difference with its interval, and a star where that is clear of 0."""
    star = " *" if interval.excludes_zero else ""
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]{star}"


def report(rows: Sequence[Row]) -> str:
    """The three tables of each setting, of the rows that have counts."""
    rows = [row for row in rows if "correct" in row]
    return by_setting(rows, _tables)


def _tables(rows: Sequence[Row]) -> str:
    tables = (
        table(["arm", "seeds", *FIGURES], lines(rows)),
        table(["", *FIGURES], contrasts(rows)),
        table(["", *FIGURES[1:]], distances(rows)),
    )
    return "\n\n".join(tables)


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    prog = "python -m studies.over_problems"
    print_results(report, words, results=RESULTS, prog=prog, about=__doc__)


if __name__ == "__main__":
    main()
