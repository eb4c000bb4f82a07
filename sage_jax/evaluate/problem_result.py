"""What came of one problem: how often it was solved, by which answers and in which ways."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sage_jax.evaluate.majority import majority_at_k
from sage_jax.evaluate.modes import (
    distinct_at_k,
    diversity,
    effective_modes,
    exact_distinct_at_k,
    exact_diversity,
    exact_effective_modes,
)
from sage_jax.files import ResultError
from sage_jax.rewards.votes import candidates
from sage_jax.telling import brief


@dataclass(frozen=True)
class ProblemResult:
    """Outcome of one problem: of n samples, or exact, from the chances of its right answers.

    Attributes:
        id: of the problem.
        correct: samples whose verdict is correct; where exact, the chance that one is.
        samples: n, all samples, with those that gave no answer; 0 where exact.
        answers: votes, {answer: how many samples gave it}; every correct sample is entered under
            `gold`, and answers equal in value under one of them, however they are spelt. Empty
            where the task has no answers to vote on.
        gold: the right answer.
        modes: ways of being right, {mode: how many samples, or the chance}, which add up to
            `correct`. Empty where the task tells none apart.
        length: mean tokens of its completions; None where unknown, as the next two.
        truncated: share of its completions cut off at the length limit.
        lost: share of its completions without a verdict; see `rewards.LOST`.
    """

    id: str
    correct: float
    samples: int
    answers: Mapping[str, int] = field(default_factory=dict)
    gold: str = ""
    modes: Mapping[str, float] = field(default_factory=dict)
    length: float | None = None
    truncated: float | None = None
    lost: float | None = None

    def majority(self, ks: Sequence[int], *, seed: int) -> np.ndarray:
        """majority@k [len(ks)], ties broken by `seed`; see `majority_at_k`."""
        others = [count for answer, count in self.answers.items() if answer != self.gold]
        gold = self.answers.get(self.gold, 0)
        return majority_at_k(gold, others, self.samples, ks, seed=seed)

    def distinct(self, ks: Sequence[int]) -> list[float]:
        """Distinct right modes expected among k samples, for each k."""
        found = [*self.modes.values()]
        if self.samples:
            return [distinct_at_k(found, self.samples, k) for k in ks]
        return [exact_distinct_at_k(found, k) for k in ks]

    def distinct_answers(self, ks: Sequence[int]) -> list[float]:
        """Distinct final answers, right or wrong, expected among k samples, for each k."""
        return [distinct_at_k([*self.answers.values()], self.samples, k) for k in ks]

    def diversity(self) -> float:
        """Chance that two right answers are of different modes; NaN where unknown."""
        found = [*self.modes.values()]
        return diversity(found) if self.samples else exact_diversity(found)

    def effective_modes(self) -> float:
        """Effective number of ways of being right; NaN where unknown."""
        found = [*self.modes.values()]
        return effective_modes(found) if self.samples else exact_effective_modes(found)


def tally(
    answers: Sequence[str | None], correct: Sequence[bool], *, id: str, gold: str
) -> ProblemResult:
    r"""Counts the samples of one problem, correct ones as votes for `gold`.

    Wrong answers that are equal in value are one candidate too, under the first of their spellings;
    see `rewards.votes` for what is merged and what is not. A wrong sample whose candidate
    reads like `gold` (its reasoning was at fault) votes for a key of its own, so that it does not
    count as a right vote.

    Args:
        answers: [n] what each sample answered, None where it gave no answer.
        correct: [n] the verdicts.
        id: of the problem.
        gold: the right answer.

    Raises:
        ValueError: lengths differ, or there are no samples.

    >>> tally(["1/2", "0.5", None, "7", "7.0"], [True, True, False, False, False],
    ...       id="p", gold="1/2").answers
    {'1/2': 2, '7': 2}
    """
    if len(answers) != len(correct) or not answers:
        raise ValueError(
            f"{id}: answers and correct must be as long as each other and not empty, got "
            f"{len(answers)} and {len(correct)}"
        )
    right = sum(map(bool, correct))
    wrong = [a for a, good in zip(answers, correct, strict=True) if not good and a is not None]
    votes = Counter({gold: right} if right else {})
    for candidate in candidates(wrong):
        votes[f"{candidate} (judged wrong)" if candidate == gold else candidate] += 1
    return ProblemResult(id, right, len(correct), dict(votes), gold)


def means_of(problems: Sequence[ProblemResult]) -> dict[str, float | None]:
    """Means over all completions of problems with as many each, None of what one does not know."""
    fields = {"mean_length": "length", "truncated": "truncated", "lost": "lost"}
    found = {name: [getattr(p, field) for p in problems] for name, field in fields.items()}
    return {
        name: None if None in values else math.fsum(values) / len(values)
        for name, values in found.items()
    }


def validate(problem: ProblemResult, samples: int, *, answers: bool, modes: bool) -> None:
    """Refuse counts that contradict each other.

    Args:
        problem: the outcome.
        samples: of every problem of the evaluation.
        answers: whether the evaluation's problems have votes.
        modes: whether they have modes.

    Raises:
        ResultError: one line with the problem, the field and the value.
    """
    where = f"problem {brief(problem.id)}"
    if problem.samples != samples:
        raise ResultError(
            f"{where}: samples must be {samples}, as in the file's head, "
            f"got {brief(problem.samples)}"
        )
    if samples and not _is_whole(problem.correct):
        raise ResultError(f"{where}: correct must be a whole number, got {problem.correct}")
    if not 0 <= problem.correct <= (samples or 1):
        raise ResultError(
            f"{where}: correct must lie in 0..{samples or 1}, got {brief(problem.correct)}"
        )
    _validate_votes(problem, where, has_answers=answers)
    _validate_modes(problem, where, has_modes=modes)
    _validate_completions(problem, where)


def _validate_completions(problem: ProblemResult, where: str) -> None:
    if problem.length is not None and not 0 <= problem.length < math.inf:
        raise ResultError(f"{where}: length must be finite and >= 0, got {problem.length}")
    for name in ("truncated", "lost"):
        share = getattr(problem, name)
        if share is not None and not 0 <= share <= 1:
            raise ResultError(f"{where}: {name} must lie between 0 and 1, got {share}")


def _is_whole(value: float) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _validate_votes(problem: ProblemResult, where: str, *, has_answers: bool) -> None:
    samples = problem.samples
    for answer, count in problem.answers.items():
        if not _is_whole(count) or count < 1:
            raise ResultError(
                f"{where}: answers[{brief(answer)}] must be a count of at least 1, "
                f"got {brief(count)}"
            )
    votes = sum(problem.answers.values())
    if votes > samples:
        raise ResultError(
            f"{where}: answers add up to {brief(votes)}, more than the {samples} samples"
        )
    if has_answers and problem.answers.get(problem.gold, 0) != problem.correct:
        raise ResultError(
            f"{where}: answers must count the {problem.correct} correct samples under the gold "
            f"{brief(problem.gold)}, got {problem.answers.get(problem.gold, 0)}"
        )


def _validate_modes(problem: ProblemResult, where: str, *, has_modes: bool) -> None:
    for mode, found in problem.modes.items():
        sound = isinstance(found, int | float) and not isinstance(found, bool) and found >= 0
        if not sound or (problem.samples and not (_is_whole(found) and found)):
            kind = "a count of at least 1" if problem.samples else "a chance"
            raise ResultError(f"{where}: modes[{brief(mode)}] must be {kind}, got {brief(found)}")
    total = sum(problem.modes.values())
    if has_modes and not math.isclose(total, problem.correct, rel_tol=1e-6, abs_tol=1e-12):
        raise ResultError(f"{where}: modes must add up to correct {problem.correct}, got {total}")
