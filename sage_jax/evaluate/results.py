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
from sage_jax.evaluate.bootstrap import Interval, known_intervals, mean_intervals
from sage_jax.evaluate.modes import effective_modes
from sage_jax.evaluate.passk import exact_pass_at_k, ladder, pass_at_k
from sage_jax.evaluate.problem_result import ProblemResult, validate
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
        mean_length: mean completion length in tokens; None where exact.
        truncated: share of completions cut off at the length limit; None where exact.
        lost: share of completions without a verdict, counted as wrong; see `rewards.LOST`.
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
    lost: float = 0.0
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
        correct = np.array([problem.correct for problem in self.problems])
        if self.exact:
            return np.stack([exact_pass_at_k(correct, k) for k in ks], axis=1)
        samples = np.array([problem.samples for problem in self.problems])
        return np.stack([pass_at_k(correct, samples, k) for k in ks], axis=1)

    def majority_table(self, ks: Sequence[int]) -> np.ndarray:
        """majority@k of every problem: [Q, len(ks)]; see `majority_at_k`."""
        return np.stack([p.majority(ks, seed=place) for place, p in enumerate(self.problems)])

    def modes_table(self, ks: Sequence[int]) -> np.ndarray:
        """Distinct right modes expected among k samples of every problem: [Q, len(ks)]."""
        return np.array([problem.distinct(ks) for problem in self.problems])

    def diversity_table(self) -> np.ndarray:
        """Chance that two right answers to a problem differ in mode: [Q, 1], NaN where unknown."""
        return np.array([[problem.diversity()] for problem in self.problems])

    def pass_intervals(self, ks: Sequence[int]) -> list[Interval]:
        """pass@k over problems with 95% bootstrap intervals, in the order of ks."""
        return mean_intervals(self.pass_table(ks))

    def summary(self) -> dict[str, Any]:
        """What the file's "summary" holds: intervals along the ladder of k, and plain means.

        pass@k for every k of the ladder; majority@k for its largest k alone, where the task has
        answers to vote on; `modes/...` where it tells ways of being right apart: `modes/distinct@k`
        among k samples, `modes/diversity`, see `modes.diversity`, and where exact also
        `modes/effective`; the means over all completions.
        """
        ks = ladder(self.largest_k)
        figures = {f"pass@{k}": v for k, v in zip(ks, self.pass_intervals(ks), strict=True)}
        if self.has_answers:
            figures[f"majority@{ks[-1]}"] = mean_intervals(self.majority_table(ks[-1:]))[0]
        if self.has_modes:
            figures |= self._modes(ks)
        means = {name: getattr(self, name) for name in self._means}
        return {name: asdict(interval) for name, interval in figures.items()} | means

    @property
    def _means(self) -> dict[str, type]:
        return {} if self.exact else _MEANS

    def _modes(self, ks: Sequence[int]) -> dict[str, Interval]:
        names = [*(f"modes/distinct@{k}" for k in ks), "modes/diversity"]
        columns = [self.modes_table(ks), self.diversity_table()]
        if self.exact:
            names.append("modes/effective")
            columns.append(
                np.array([[effective_modes([*p.modes.values()])] for p in self.problems])
            )
        found = known_intervals(np.hstack(columns))
        return {name: v for name, v in zip(names, found, strict=True) if v is not None}

    def save(self, path: str | Path) -> None:
        """Writes the result as JSON, whole or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        content = {name: getattr(self, name) for name in _SCALARS}
        content["tokens"] = {name: [*values] for name, values in self.tokens.items()}
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
_PROBLEM = {
    "id": str, "correct": float, "samples": int, "answers": dict, "gold": str, "modes": dict,
}  # fmt: skip
_NOUNS = {str: "text", int: "a whole number", float: "a number", dict: "an object", list: "a list"}


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
    fields = _typed(content, _SCALARS | {"tokens": dict, "problems": list, "summary": dict}, "")
    _check_tokens(fields["tokens"])
    summary, kinds = fields["summary"], _MEANS if fields["samples"] else {}
    means = _typed({name: summary.get(name) for name in kinds}, kinds, "summary: ")
    problems = tuple(_problem(place, entry) for place, entry in enumerate(fields["problems"]))
    head = {name: fields[name] for name in (*_SCALARS, "tokens")}
    result = EvalResult(problems=problems, **head, **means)
    _check_summary(summary, result)
    return result


def _check_tokens(tokens: dict) -> None:
    for name, values in tokens.items():
        numbers = isinstance(values, list) and all(type(one) in (int, float) for one in values)
        if not numbers:
            raise ResultError(f"tokens: {name} must be a list of numbers, got {brief(values)}")


def _check_summary(summary: dict, result: EvalResult) -> None:
    """The stored pass@k must follow from the stored counts: a hand-edited file is refused."""
    ks = ladder(result.largest_k)
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
    if result.exact:
        return
    length = result.mean_length
    if length is None or not (math.isfinite(length) and length >= 0):
        raise ResultError(f"mean_length must be finite and >= 0, got {length}")
    for name in ("truncated", "lost"):
        share = getattr(result, name)
        if share is None or not 0 <= share <= 1:
            raise ResultError(f"{name} must lie between 0 and 1, got {share}")
