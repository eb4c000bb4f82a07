"""The figures on which several evaluations are compared, with intervals and paired differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sage_jax.evaluate.bootstrap import Interval, mean_intervals, paired_differences
from sage_jax.evaluate.passk import ladder
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.runs import Run, base_results


@dataclass(frozen=True)
class Comparison:
    """Evaluations side by side, on figures that all of them can give.

    Attributes:
        results: {name: evaluation}; base models first, then the arms.
        bases: names in `results` that are models before training.
        base_of: {arm: name of its base model}.
        labels: C figures, such as "pass@1"; "majority@k" last where all have answers.
        tables: {name: [Q, C] figures of each problem}.
    """

    results: Mapping[str, EvalResult]
    bases: tuple[str, ...]
    base_of: Mapping[str, str]
    labels: tuple[str, ...]
    tables: Mapping[str, np.ndarray]

    @property
    def arms(self) -> tuple[str, ...]:
        """Names that are not base models."""
        return tuple(name for name in self.results if name not in self.bases)

    def intervals(self, name: str) -> list[Interval]:
        """Each figure of one evaluation, with its 95% interval over problems."""
        return mean_intervals(self.tables[name])

    def difference(self, name: str, baseline: str) -> list[Interval]:
        """Each figure's paired difference, name - baseline, with its 95% interval.

        Raises:
            ValueError: the two cover different problems; the ids are named.
        """
        return paired_differences(
            self.results[name].ids,
            self.tables[name],
            self.results[baseline].ids,
            self.tables[baseline],
        )

    def pairs(self) -> list[tuple[str, str]]:
        """Comparisons to report: each arm against its base, then arms against each other."""
        against_base = [(arm, self.base_of[arm]) for arm in self.arms if arm in self.base_of]
        return against_base + [(second, first) for first, second in combinations(self.arms, 2)]


def chosen_ks(samples: int) -> tuple[int, ...]:
    """At most four k of the ladder, its ends among them: columns of a table.

    >>> chosen_ks(64)
    (1, 4, 16, 64)
    """
    ks = ladder(samples)
    places = np.linspace(0, len(ks) - 1, min(4, len(ks)))
    return tuple(ks[round(float(place))] for place in places)


def compare(runs: list[Run]) -> Comparison:
    """Lines up the base and final evaluations of runs, at k that all have samples for."""
    bases = base_results(runs)
    arms = {run.name: run.final for run in runs if run.final is not None}
    results = bases | arms
    base_of = {
        run.name: name
        for run in runs
        for name, base in bases.items()
        if run.name in arms and run.base == base
    }
    if not results:
        return Comparison({}, (), {}, (), {})
    ks = chosen_ks(min(result.samples for result in results.values()))
    labels = [f"pass@{k}" for k in ks]
    tables = {name: result.pass_table(ks) for name, result in results.items()}
    if ks[-1] > 2 and all(result.has_answers for result in results.values()):
        labels.append(f"majority@{ks[-1]}")
        for name, result in results.items():
            tables[name] = np.hstack([tables[name], result.majority_table(ks[-1:])])
    return Comparison(results, tuple(bases), base_of, tuple(labels), tables)
