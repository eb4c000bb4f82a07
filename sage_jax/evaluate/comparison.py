"""The figures on which several evaluations are compared, with intervals and paired differences."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sage_jax.evaluate.bootstrap import Interval, differences, known_intervals
from sage_jax.evaluate.holm import holm
from sage_jax.evaluate.passk import ladder
from sage_jax.evaluate.permutation import sign_flips
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.runs import Run, base_results


@dataclass(frozen=True)
class Comparison:
    """Evaluations side by side, on figures that all of them can give.

    Attributes:
        results: {name: evaluation}; base models first, then the arms.
        bases: names in `results` that are models before training.
        base_of: {arm: name of its base model}.
        labels: C figures, such as "pass@1"; "majority@k" where all have answers, "modes@k", the
            number of distinct right modes among k samples, and "diversity" where all have modes.
        tables: {name: [Q, C] figures of each problem; NaN where it lacks one}.
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

    def intervals(self, name: str) -> list[Interval | None]:
        """Each figure of one evaluation, with its 95% interval over problems that have it."""
        return known_intervals(self.tables[name])

    def difference(self, name: str, baseline: str) -> list[Interval | None]:
        """Each figure's paired difference, name - baseline, with its 95% interval.

        Raises:
            ValueError: the two cover different problems; the ids are named.
        """
        return known_intervals(self._differences(name, baseline))

    def p_values(self) -> dict[tuple[str, str], list[float]]:
        """P of each figure's difference, by pair of `pairs`, from a sign-flip test.

        Corrected (Holm) for the number of pairs, figure by figure. Pairs on different problems are
        left out; NaN of a figure that no problem has.
        """
        found: dict[tuple[str, str], list[float]] = {}
        for pair in self.pairs():
            with contextlib.suppress(ValueError):  # The table says which problems differ.
                found[pair] = [test.p for test in sign_flips(self._differences(*pair))]
        columns = [holm(column) for column in zip(*found.values(), strict=True)]
        return dict(zip(found, map(list, zip(*columns, strict=True)), strict=True))

    def _differences(self, name: str, baseline: str) -> np.ndarray:
        before, after = self.results[baseline], self.results[name]
        return differences(after.ids, self.tables[name], before.ids, self.tables[baseline])

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
    labels, tables = _figures(results)
    return Comparison(results, tuple(bases), base_of, labels, tables)


_EXACT_KS = (1, 16, 64, 1024)


def _figures(results: Mapping[str, EvalResult]) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Figures that all evaluations have, and their values."""
    every = results.values()
    exact = all(result.exact for result in every)
    ks = _EXACT_KS if exact else chosen_ks(min(result.largest_k for result in every))
    labels = [f"pass@{k}" for k in ks]
    columns = {name: [result.pass_table(ks)] for name, result in results.items()}
    if ks[-1] > 2 and all(result.has_answers for result in every):
        labels.append(f"majority@{ks[-1]}")
        for name, result in results.items():
            columns[name].append(result.majority_table(ks[-1:]))
    if ks[-1] > 1 and all(result.has_modes for result in every):
        labels += [f"modes@{ks[-1]}", "diversity"]
        for name, result in results.items():
            columns[name] += [result.modes_table(ks[-1:]), result.diversity_table()]
    return tuple(labels), {name: np.hstack(parts) for name, parts in columns.items()}
