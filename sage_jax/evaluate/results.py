"""Evaluation results: how often each problem was solved, and the summary drawn from that."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sage_jax import json_text
from sage_jax.evaluate.bootstrap import Interval, mean_intervals
from sage_jax.evaluate.majority import majority_at_k
from sage_jax.evaluate.passk import ladder, pass_at_k
from sage_jax.files import ResultError, write_atomically
from sage_jax.paths import as_path
from sage_jax.rewards.votes import candidates
from sage_jax.telling import brief


@dataclass(frozen=True)
class ProblemResult:
    """Outcome of the n samples of one problem.

    Attributes:
        id: of the problem.
        correct: samples whose verdict is correct.
        samples: n, all samples, with those that gave no answer.
        answers: votes, {answer: how many samples gave it}; every correct sample is entered under
            `gold`, and answers equal in value under one of them, however they are spelt. Empty
            where the task has no answers to vote on.
        gold: the right answer.
    """

    id: str
    correct: int
    samples: int
    answers: Mapping[str, int] = field(default_factory=dict)
    gold: str = ""


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


@dataclass(frozen=True)
class EvalResult:
    """One evaluation of one model: a file `eval/<tag>.json` of a run folder.

    Attributes:
        tag: name of the evaluation: "base", "step-000100", "final".
        step: training step of the model; 0 for the base model.
        task: name of the task.
        samples: samples drawn per problem.
        seed: of the sampling.
        temperature: of the sampling; 0 is greedy.
        problems: one entry per problem, ids unique.
        mean_length: mean completion length in tokens.
        truncated: share of completions cut off at the length limit.
        lost: share of completions without a verdict, counted as wrong; see `rewards.LOST`.
    """

    tag: str
    step: int
    task: str
    samples: int
    seed: int
    temperature: float
    problems: tuple[ProblemResult, ...]
    mean_length: float
    truncated: float
    lost: float = 0.0

    def __post_init__(self):
        _validate(self)

    @property
    def ids(self) -> tuple[str, ...]:
        """Problem ids, in the file's order."""
        return tuple(problem.id for problem in self.problems)

    @property
    def has_answers(self) -> bool:
        """Whether there is anything to take a majority of."""
        return any(problem.answers for problem in self.problems)

    def pass_table(self, ks: Sequence[int]) -> np.ndarray:
        """pass@k of every problem: [Q, len(ks)]."""
        correct = np.array([problem.correct for problem in self.problems])
        samples = np.array([problem.samples for problem in self.problems])
        return np.stack([pass_at_k(correct, samples, k) for k in ks], axis=1)

    def majority_table(self, ks: Sequence[int]) -> np.ndarray:
        """majority@k of every problem: [Q, len(ks)]; see `majority_at_k`."""
        return np.stack([_majority(place, p, ks) for place, p in enumerate(self.problems)])

    def pass_intervals(self, ks: Sequence[int]) -> list[Interval]:
        """pass@k over problems with 95% bootstrap intervals, in the order of ks."""
        return mean_intervals(self.pass_table(ks))

    def summary(self) -> dict[str, Any]:
        """What the file's "summary" holds: intervals along the ladder of k, and plain means.

        pass@k for every k of the ladder; majority@k for its largest k alone, where the task has
        answers to vote on; the means over all completions.
        """
        ks = ladder(self.samples)
        figures = {f"pass@{k}": v for k, v in zip(ks, self.pass_intervals(ks), strict=True)}
        if self.has_answers:
            figures[f"majority@{ks[-1]}"] = mean_intervals(self.majority_table(ks[-1:]))[0]
        means = {name: getattr(self, name) for name in _MEANS}
        return {name: asdict(interval) for name, interval in figures.items()} | means

    def save(self, path: str | Path) -> None:
        """Writes the result as JSON, whole or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        content = {name: getattr(self, name) for name in _SCALARS}
        content["problems"] = [asdict(problem) for problem in self.problems]
        content["summary"] = self.summary()
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
        content = _read(path)
        try:
            return _parse(content)
        except ResultError as error:
            raise ResultError(f"{path}: {error}") from None


_SCALARS = {"tag": str, "step": int, "task": str, "samples": int, "seed": int, "temperature": float}
_MEANS = {"mean_length": float, "truncated": float, "lost": float}
_PROBLEM = {"id": str, "correct": int, "samples": int, "answers": dict, "gold": str}
_NOUNS = {str: "text", int: "a whole number", float: "a number", dict: "an object", list: "a list"}


def _majority(place: int, problem: ProblemResult, ks: Sequence[int]) -> np.ndarray:
    others = [count for answer, count in problem.answers.items() if answer != problem.gold]
    gold = problem.answers.get(problem.gold, 0)
    return majority_at_k(gold, others, problem.samples, ks, seed=place)


def _read(path: Path) -> dict:
    try:
        content = json_text.read(path.read_bytes())
    except FileNotFoundError:
        raise ResultError(f"{path}: no such file") from None
    except ValueError as error:
        raise ResultError(f"{path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ResultError(f"{path}: must hold a JSON object, got {type(content).__name__}")
    return content


def _typed(content: dict, fields: dict[str, type], where: str) -> dict:
    unknown = sorted(set(content) - set(fields))
    if unknown:
        raise ResultError(
            f"{where}unknown field {brief(unknown[0])}; known are {', '.join(fields)}"
        )
    for name, kind in fields.items():
        if name not in content:
            raise ResultError(f"{where}field {name!r} is missing")
        allowed = (int, float) if kind is float else kind
        value = content[name]
        if not isinstance(value, allowed) or isinstance(value, bool):
            raise ResultError(f"{where}{name} must be {_NOUNS[kind]}, got {brief(value)}")
    return content


def _problem(place: int, content: object) -> ProblemResult:
    if not isinstance(content, dict):
        raise ResultError(f"problems[{place}] must be an object, got {brief(content)}")
    fields = _typed(content, _PROBLEM, f"problems[{place}]: ")
    return ProblemResult(**fields)


def _parse(content: dict) -> EvalResult:
    fields = _typed(content, _SCALARS | {"problems": list, "summary": dict}, "")
    summary = fields["summary"]
    means = _typed({name: summary.get(name) for name in _MEANS}, _MEANS, "summary: ")
    problems = tuple(_problem(place, entry) for place, entry in enumerate(fields["problems"]))
    result = EvalResult(**{n: fields[n] for n in _SCALARS}, problems=problems, **means)
    _check_summary(summary, result)
    return result


def _check_summary(summary: dict, result: EvalResult) -> None:
    """The stored pass@k must follow from the stored counts: a hand-edited file is refused."""
    ks = ladder(result.samples)
    means = result.pass_table(ks).mean(axis=0)
    for k, expected in zip(ks, means, strict=True):
        entry = summary.get(f"pass@{k}")
        stored = entry.get("mean") if isinstance(entry, dict) else None
        if not isinstance(stored, int | float) or not math.isclose(stored, expected, abs_tol=1e-6):
            raise ResultError(
                f"summary: pass@{k} must have mean {expected:.6g}, which the problems give, "
                f"got {brief(stored)}"
            )


def _validate(result: EvalResult) -> None:
    if result.samples < 1:
        raise ResultError(f"samples must be at least 1, got {brief(result.samples)}")
    if result.step < 0:
        raise ResultError(f"step must not be negative, got {brief(result.step)}")
    if not (math.isfinite(result.temperature) and result.temperature >= 0):
        raise ResultError(f"temperature must be finite and >= 0, got {result.temperature}")
    if not (math.isfinite(result.mean_length) and result.mean_length >= 0):
        raise ResultError(f"mean_length must be finite and >= 0, got {result.mean_length}")
    for name in ("truncated", "lost"):
        if not 0 <= getattr(result, name) <= 1:
            raise ResultError(f"{name} must lie between 0 and 1, got {getattr(result, name)}")
    if not result.problems:
        raise ResultError("problems must not be empty")
    repeated = [name for name, times in Counter(result.ids).items() if times > 1]
    if repeated:
        raise ResultError(f"problem ids must be unique, got {brief(repeated[0])} more than once")
    for problem in result.problems:
        _validate_problem(problem, result.samples, result.has_answers)


def _validate_problem(problem: ProblemResult, samples: int, has_answers: bool) -> None:
    where = f"problem {brief(problem.id)}"
    if problem.samples != samples:
        raise ResultError(
            f"{where}: samples must be {samples}, as in the file's head, "
            f"got {brief(problem.samples)}"
        )
    if not 0 <= problem.correct <= samples:
        raise ResultError(
            f"{where}: correct must lie in 0..{samples}, got {brief(problem.correct)}"
        )
    for answer, count in problem.answers.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
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
