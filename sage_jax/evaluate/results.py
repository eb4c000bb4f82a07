"""Evaluation results: how often each problem was solved, and the figures that follow from it."""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sage_jax.evaluate.bootstrap import Interval, mean_intervals
from sage_jax.evaluate.draws import draws_at_k, exact_draws_at_k
from sage_jax.evaluate.passk import (
    all_pass_at_k,
    exact_all_pass_at_k,
    exact_pass_at_k,
    pass_at_k,
)
from sage_jax.evaluate.problem_result import ProblemResult, means_of, validate
from sage_jax.evaluate.result_json import content_of, fields_of, read_content
from sage_jax.evaluate.summary import check_summary, summarise
from sage_jax.files import ResultError, write_atomically
from sage_jax.paths import as_path
from sage_jax.telling import brief

EXACT_LARGEST_K = 1024
"""To which k an exact evaluation goes, for which any is known."""


@dataclass(frozen=True)
class EvalResult:
    """One evaluation of one model: a file `eval/<tag>.json` of a run folder.

    It is sampled, or exact: computed from the probabilities of all right completions.

    Attributes:
        tag: name of the evaluation: "base", "step-000100", "final".
        step: training step of the model; 0 for the base model.
        task: name of the task.
        samples: samples drawn per problem; 0 where exact.
        seed: of the sampling.
        temperature: of the sampling; 0 is greedy.
        problems: one entry per problem, ids unique.
        mean_length: mean completion length in tokens; None where unknown, as where exact.
        truncated: share of completions cut off at the length limit; None where unknown.
        lost: share of completions without a verdict, counted as wrong; see `rewards.LOST`; None
            where unknown.
        tokens: where exact, of each place of a completion: `right`, the chance that its token is
            one of a worked answer, given those before it, and `entropy`, the mean entropy in nats
            before it. The product of `right` is the share of completions that are worked answers,
            whether they hit their problem's target or not.
    """

    tag: str
    step: int
    task: str
    samples: int
    seed: int
    temperature: float
    problems: tuple[ProblemResult, ...]
    mean_length: float | None = None
    truncated: float | None = None
    lost: float | None = 0.0
    tokens: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self):
        _validate(self)

    @property
    def ids(self) -> tuple[str, ...]:
        """Problem ids, in the file's order."""
        return tuple(problem.id for problem in self.problems)

    @property
    def exact(self) -> bool:
        """Whether it was computed and not sampled."""
        return self.samples == 0

    @property
    def largest_k(self) -> int:
        """The k to which pass@k is known."""
        return self.samples or EXACT_LARGEST_K

    @property
    def has_modes(self) -> bool:
        """Whether ways of being right were told apart."""
        return any(problem.modes for problem in self.problems)

    @property
    def has_answers(self) -> bool:
        """Whether there is anything to take a majority of."""
        return any(problem.answers for problem in self.problems)

    def pass_table(self, ks: Sequence[int]) -> np.ndarray:
        """pass@k of every problem: [Q, len(ks)]."""
        return self._by_k(pass_at_k, exact_pass_at_k, ks)

    def all_pass_table(self, ks: Sequence[int]) -> np.ndarray:
        """pass^k, all of k right, of every problem: [Q, len(ks)]."""
        return self._by_k(all_pass_at_k, exact_all_pass_at_k, ks)

    def draws_table(self, ks: Sequence[int]) -> np.ndarray:
        """Samples drawn of every problem until one is right, at most k: [Q, len(ks)]."""
        return self._by_k(draws_at_k, exact_draws_at_k, ks)

    def _by_k(self, sampled: Callable, exact: Callable, ks: Sequence[int]) -> np.ndarray:
        correct = np.array([problem.correct for problem in self.problems])
        of = (
            (lambda k: exact(correct, k))
            if self.exact
            else lambda k: sampled(correct, self.samples, k)
        )
        return np.stack([of(k) for k in ks], axis=1) if ks else np.zeros((len(correct), 0))

    def majority_table(self, ks: Sequence[int]) -> np.ndarray:
        """majority@k of every problem: [Q, len(ks)]; see `majority_at_k`."""
        return np.stack([p.majority(ks, seed=place) for place, p in enumerate(self.problems)])

    def answers_table(self, ks: Sequence[int]) -> np.ndarray:
        """Distinct final answers expected among k samples of every problem: [Q, len(ks)]."""
        return np.array([problem.distinct_answers(ks) for problem in self.problems])

    def modes_table(self, ks: Sequence[int]) -> np.ndarray:
        """Distinct right modes expected among k samples of every problem: [Q, len(ks)]."""
        return np.array([problem.distinct(ks) for problem in self.problems])

    def diversity_table(self) -> np.ndarray:
        """Chance that two right answers to a problem differ in mode: [Q, 1], NaN where unknown."""
        return np.array([[problem.diversity()] for problem in self.problems])

    def effective_table(self) -> np.ndarray:
        """Effective number of right modes of every problem: [Q, 1], NaN where unknown."""
        return np.array([[problem.effective_modes()] for problem in self.problems])

    def pass_intervals(self, ks: Sequence[int]) -> list[Interval]:
        """pass@k over problems with 95% bootstrap intervals, in the order of ks."""
        return mean_intervals(self.pass_table(ks))

    def without(self, ids: Collection[str]) -> "EvalResult":
        """The evaluation on the other problems, say on those that stand in no training set.

        Means over completions are those of the problems that are left where these have their own,
        and None where not. Ids that it does not have are passed over.

        Raises:
            ResultError: no problem is left.
        """
        dropped = set(ids)
        left = tuple(problem for problem in self.problems if problem.id not in dropped)
        if not left:
            raise ResultError(f"{self.tag}: none of its {len(self.ids)} problems would be left")
        means = {} if self.exact or left == self.problems else means_of(left)
        return dataclasses.replace(self, problems=left, **means)

    def summary(self) -> dict[str, Any]:
        """What the file's "summary" holds: figures with intervals over problems, and plain means.

        pass@k and pass^k for every k of the ladder, and of its largest: draws@k, see `draws_at_k`;
        majority@k and `answers/distinct@k`, the number of distinct final answers, where the task
        has answers to vote on. Where it tells ways of being right apart, `modes/distinct@k` among
        k samples, `modes/diversity` and `modes/effective`, see `modes`. The means over all
        completions.
        """
        return summarise(self)

    def save(self, path: str | Path) -> None:
        """Writes the result as JSON, whole or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        content = content_of(self) | {"summary": self.summary()}
        text = json.dumps(content, indent=1, allow_nan=False)
        write_atomically(as_path(path), (text + "\n").encode())

    @classmethod
    def load(cls, path: str | Path) -> "EvalResult":
        """Reads and validates a result file.

        Raises:
            ResultError: the file is missing, not JSON, lacks a field, has one that is unknown or
                ill-typed, contradicts itself, or its summary disagrees with its problems; file,
                problem, field and value are named.
        """
        path = as_path(path)
        content = read_content(path)
        try:
            result = cls(**fields_of(content))
            check_summary(content["summary"], result)
        except ResultError as error:
            raise ResultError(f"{path}: {error}") from None
        return result


def _validate(result: EvalResult) -> None:
    if result.samples < 0:
        raise ResultError(f"samples must be at least 1, or 0 if exact, got {brief(result.samples)}")
    if result.step < 0:
        raise ResultError(f"step must not be negative, got {brief(result.step)}")
    if not (math.isfinite(result.temperature) and result.temperature >= 0):
        raise ResultError(f"temperature must be finite and >= 0, got {result.temperature}")
    _validate_means(result)
    if not result.problems:
        raise ResultError("problems must not be empty")
    repeated = [name for name, times in Counter(result.ids).items() if times > 1]
    if repeated:
        raise ResultError(f"problem ids must be unique, got {brief(repeated[0])} more than once")
    for problem in result.problems:
        validate(problem, result.samples, answers=result.has_answers, modes=result.has_modes)


def _validate_means(result: EvalResult) -> None:
    length = result.mean_length
    if length is not None and not (math.isfinite(length) and length >= 0):
        raise ResultError(f"mean_length must be finite and >= 0, got {length}")
    for name in ("truncated", "lost"):
        share = getattr(result, name)
        if share is not None and not 0 <= share <= 1:
            raise ResultError(f"{name} must lie between 0 and 1, got {share}")
