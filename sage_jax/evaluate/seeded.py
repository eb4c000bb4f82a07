"""One suite evaluated under several seeds."""

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from sage_jax.evaluate.bootstrap import Interval, pairing
from sage_jax.evaluate.figures import column
from sage_jax.evaluate.over_seeds import mean_of_known, over_both, over_problems, over_seeds
from sage_jax.evaluate.problem_result import ProblemResult
from sage_jax.evaluate.results import EvalResult
from sage_jax.files import ResultError
from sage_jax.rewards.votes import candidates
from sage_jax.telling import brief

_SHARED = ("task", "samples", "temperature")


@dataclass(frozen=True)
class SeededResult:
    """Evaluations of one suite that differ in their seed: of sampling, or of training too.

    Attributes:
        results: one a seed, on the same problems with as many samples of each.
    """

    results: tuple[EvalResult, ...]

    def __post_init__(self):
        _validate(self.results)

    @property
    def ids(self) -> tuple[str, ...]:
        """Problem ids, in the order of the first result."""
        return self.results[0].ids

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in the order of the results."""
        return tuple(result.seed for result in self.results)

    @property
    def largest_k(self) -> int:
        """The k to which pass@k is known under each seed."""
        return self.results[0].largest_k

    def table(self, name: str) -> np.ndarray:
        """A figure by name, as `figures.column`, under S seeds: [S, Q], NaN where there is none."""
        orders = [pairing(self.ids, result.ids) for result in self.results]
        return np.stack(
            [column(r, name)[order] for r, order in zip(self.results, orders, strict=True)]
        )

    def column(self, name: str) -> np.ndarray:
        """A figure's mean over seeds of every problem: [Q]."""
        return mean_of_known(self.table(name), axis=0)

    def over_problems(self, name: str) -> Interval | None:
        """A figure's mean, and its 95% interval for other problems of the kind."""
        return over_problems(self.table(name))

    def over_seeds(self, name: str) -> Interval | None:
        """A figure's mean, and its 95% interval for other seeds; None of one seed."""
        return over_seeds(self.table(name))

    def over_both(self, name: str) -> Interval | None:
        """A figure's mean, and its 95% interval for other problems and seeds; None of one seed."""
        return over_both(self.table(name))

    def without(self, ids: Collection[str]) -> "SeededResult":
        """The same on the other problems; see `EvalResult.without`."""
        return SeededResult(tuple(result.without(ids) for result in self.results))

    def pooled(self) -> EvalResult:
        """All samples of all seeds as one evaluation of S n samples a problem.

        For seeds of the sampling of one model alone: then pass@k is known up to k = S n, and its
        mean over seeds at a smaller k is the same but for luck. Seeds of training give other
        models, whose samples are no samples of one.

        Returns:
            An evaluation with the seed and the tag of the first.

        Raises:
            ResultError: the evaluations are exact; or of different steps or tags, so not of one
                model.
        """
        first = self.results[0]
        if first.exact:
            raise ResultError(f"{first.tag}: exact evaluations hold no samples to pool")
        for field in ("tag", "step"):
            _check_equal(self.results, field)
        orders = [pairing(self.ids, result.ids) for result in self.results]
        problems = tuple(
            _joined([r.problems[o[place]] for r, o in zip(self.results, orders, strict=True)])
            for place in range(len(self.ids))
        )
        means = {
            name: _mean([getattr(result, name) for result in self.results])
            for name in ("mean_length", "truncated", "lost")
        }
        samples = first.samples * len(self.results)
        return dataclasses.replace(first, samples=samples, problems=problems, **means)


def differences(after: SeededResult, before: SeededResult, name: str) -> np.ndarray:
    """After less before, of each problem under each seed: [S, Q].

    Args:
        after: under the seeds of `before`, whose pairs share what a seed sets.
        before: on the same problems.
        name: of the figure.

    Raises:
        ValueError: other seeds, or other problems; they are named.
    """
    if sorted(after.seeds) != sorted(before.seeds):
        raise ValueError(f"the two have different seeds, {after.seeds} and {before.seeds}")
    rows = [before.seeds.index(seed) for seed in after.seeds]
    return after.table(name) - before.table(name)[rows][:, pairing(after.ids, before.ids)]


def _validate(results: Sequence[EvalResult]) -> None:
    if not results:
        raise ResultError("an evaluation under several seeds needs one at least")
    repeated = [seed for seed, times in Counter(r.seed for r in results).items() if times > 1]
    if repeated:
        raise ResultError(f"seed {repeated[0]} is there twice: the same luck counts once")
    for field in _SHARED:
        _check_equal(results, field)
    for result in results[1:]:
        try:
            pairing(results[0].ids, result.ids)
        except ValueError as error:
            raise ResultError(f"seeds {results[0].seed} and {result.seed}: {error}") from None


def _check_equal(results: Sequence[EvalResult], field: str) -> None:
    first = results[0]
    for other in results[1:]:
        if getattr(other, field) != getattr(first, field):
            raise ResultError(
                f"{field} must be the same under all seeds, got {brief(getattr(first, field))} "
                f"of seed {first.seed} and {brief(getattr(other, field))} of seed {other.seed}"
            )


def _joined(parts: Sequence[ProblemResult]) -> ProblemResult:
    """One problem's samples of all seeds."""
    modes: Counter[str] = Counter()
    for part in parts:
        modes.update({mode: int(count) for mode, count in part.modes.items()})
    of_all = ("length", "truncated", "lost")
    return ProblemResult(
        parts[0].id,
        sum(part.correct for part in parts),
        sum(part.samples for part in parts),
        _votes(parts),
        parts[0].gold,
        dict(modes),
        **{name: _mean([getattr(part, name) for part in parts]) for name in of_all},
    )


def _votes(parts: Sequence[ProblemResult]) -> dict[str, int]:
    """Votes added up; wrong answers equal in value are one, however each seed spelt them."""
    gold = parts[0].gold
    wrong = [answer for part in parts for answer in part.answers if answer != gold]
    names = dict(zip(wrong, candidates(wrong), strict=True))
    votes: Counter[str] = Counter()
    for part in parts:
        for answer, count in part.answers.items():
            votes[names.get(answer, answer)] += count
    return dict(votes)


def _mean(values: Sequence[float | None]) -> float | None:
    """Of as many samples each; None where one is unknown."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) else None
