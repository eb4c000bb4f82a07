"""Rewards of completions by the forms in which a user may write them.

| form | asks for | gives |
| --- | --- | --- |
| of one completion | `completion`, perhaps `problem`, `answer` | a number, or (number, reason) |
| of a batch, as in TRL | `completions`, perhaps `answers`, `**kwargs` | B numbers |
| of tokens, in JAX | `tokens` [B, T], `mask` [B, T] | [B]; jitted, on a device of this process |
| a judge | none of these; called once | an object with `score(pairs) -> list[Verdict]` |
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from sage_jax.data.problem import Problem
from sage_jax.faults import ConfigError
from sage_jax.parts import REWARDS, Part, RewardSpec, place, resolve, said
from sage_jax.rewards import Verdict, extract
from sage_jax.telling import OneLine, brief


class RewardError(OneLine):
    """A reward of the user's own failed on a completion, or gave what is no reward."""


class Judge(Protocol):
    """What scores answers: `VerifierPool`, `NumberJudge`, or one of the user's own.

    It may also have `answer(completion)`, the final answer that is judged, and `close()`.
    """

    def score(self, pairs: Sequence[tuple[str, str, str]]) -> list[Verdict]:
        """Judge (completion, gold, question) tuples, in order."""
        ...


class Batch(NamedTuple):
    """B completions, with the problem of each.

    Attributes:
        completions: as judged, with what the template and the prefix began them with.
        problems: of each.
        tokens: int32[B, T].
        mask: [B, T], 1 on the completion's tokens.
    """

    completions: list[str]
    problems: list[Problem]
    tokens: np.ndarray
    mask: np.ndarray


class Given(NamedTuple):
    """B rewards, float32 [B], and a word on each where there is more to say than its value."""

    rewards: np.ndarray
    reasons: list[str]


@dataclass(frozen=True)
class Reward:
    """One of the rewards whose weighted sum is trained on.

    Attributes:
        name: in metrics, `reward/NAME`.
        weight: in the sum.
        score: rewards of a batch.
        judge: behind it, where there is one.
    """

    name: str
    weight: float
    score: Callable[[Batch], Given]
    judge: Any = None

    def answer(self, completion: str) -> str | None:
        """The final answer of a completion, for majority votes."""
        return getattr(self.judge, "answer", extract)(completion)

    def close(self) -> None:
        """Let go of processes."""
        if close := getattr(self.judge, "close", None):
            close()


def judged_by(judge: Judge, *, name: str = "judge", weight: float = 1.0) -> Reward:
    """The reward that a judge's verdicts give."""
    return Reward(name, weight, lambda batch: _verdicts(judge, name, batch), judge)


def make_reward(spec: RewardSpec, *, field: str, **given: Any) -> Reward:
    """The reward that a config names.

    Args:
        spec: its name, weight and arguments.
        field: of the config, for messages.
        given: what the trainer gives to functions that ask for it by name.

    Raises:
        ConfigError: if there is no such reward, its arguments do not fit, or it has none of the
            forms above.
    """
    part = resolve(spec, REWARDS, field=field)
    for word, score in (("completion", _by_one), ("completions", _by_batch), ("tokens", _by_token)):
        if part.asks(word):
            return Reward(spec.title, spec.weight, score(part, given))
    judge = part.call(**given)
    if not callable(getattr(judge, "score", None)):
        raise ConfigError(
            f"{field}: {spec.use} asks for no completion, completions or tokens, and gives "
            f"{brief(judge)}, which has no score(pairs)"
        )
    return judged_by(judge, name=spec.title, weight=spec.weight)


def _by_one(part: Part, given: Mapping[str, Any]) -> Callable[[Batch], Given]:
    function, wanted = part.bound(**given), inspect.signature(part.function).parameters

    def score(batch: Batch) -> Given:
        found = []
        for completion, problem in zip(batch.completions, batch.problems, strict=True):
            asked = {"completion": completion, **_columns(problem)}
            with _blamed(part, problem, completion):
                value = function(**{name: asked[name] for name in asked if name in wanted})
                found.append(_pair(value))
        return Given(np.array([value for value, _ in found], np.float32), [why for _, why in found])

    return score


def _by_batch(part: Part, given: Mapping[str, Any]) -> Callable[[Batch], Given]:
    function = part.bound(**given)
    kinds = {p.kind for p in inspect.signature(part.function).parameters.values()}
    takes_all = inspect.Parameter.VAR_KEYWORD in kinds

    def score(batch: Batch) -> Given:
        columns = {"completions": batch.completions}
        rows = [_columns(problem) for problem in batch.problems]
        for name in rows[0]:
            columns[name] = columns[f"{name}s"] = [row[name] for row in rows]
        asked = {n: v for n, v in columns.items() if takes_all or part.asks(n)}
        with _blamed(part):
            return _plain(function(**asked), len(rows))

    return score


def _by_token(part: Part, given: Mapping[str, Any]) -> Callable[[Batch], Given]:
    function = jax.jit(part.bound(**given))

    def score(batch: Batch) -> Given:
        asked = {"tokens": batch.tokens, "mask": batch.mask}
        with _blamed(part):
            found = function(**{n: v for n, v in asked.items() if part.asks(n)})
            return _plain(np.asarray(found).tolist(), len(batch.tokens))

    return score


def _verdicts(judge: Judge, name: str, batch: Batch) -> Given:
    pairs = [
        (text, one.answer, one.problem)
        for text, one in zip(batch.completions, batch.problems, strict=True)
    ]
    verdicts = judge.score(pairs)
    if len(verdicts) != len(pairs):
        raise RewardError(f"reward {name}: {len(verdicts)} verdicts on {len(pairs)} completions")
    rewards = np.array([_number(verdict.reward) for verdict in verdicts], np.float32)
    return Given(rewards, [verdict.reason for verdict in verdicts])


def _columns(problem: Problem) -> dict[str, Any]:
    """What a function may ask for of a problem; in a batch, each is a list under its plural too."""
    return {
        "problem": problem, "prompt": problem.problem, "answer": problem.answer,
        "solution": problem.solution, "source": problem.source, "id": problem.id,
    }  # fmt: skip


@contextlib.contextmanager
def _blamed(part: Part, problem: Problem | None = None, completion: str = "") -> Iterator[None]:
    """Tell an exception as one line with the reward, the user's own line, and the completion."""
    try:
        yield
    except Exception as error:
        on = f", on problem {problem.id!r} and {brief(completion)}" if problem else ""
        where = place(error, part.function)
        raise RewardError(f"{part.field} {part.spec.use}: {said(error)}{where}{on}") from error


def _plain(values: Any, count: int) -> Given:
    if not isinstance(values, Sequence | np.ndarray | jax.Array) or len(values) != count:
        raise ValueError(f"gives {brief(values)}; {count} numbers are needed, one a completion")
    numbers = np.array([_number(value) for value in values], np.float32)
    return Given(numbers, [_word(value) for value in numbers])


def _pair(value: Any) -> tuple[float, str]:
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str):
        return _number(value[0]), value[1]
    return _number(value), _word(_number(value))


def _number(value: Any) -> float:
    try:
        number = float(np.asarray(value).item()) if not isinstance(value, str) else np.nan
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(f"gives {brief(value)}, which is no finite number")
    return number


def _word(value: float) -> str:
    return "correct" if value > 0 else "wrong"


def closed_on_failure(rewards: Iterator[Reward]) -> list[Reward]:
    """All of them, or none that is left open."""
    made: list[Reward] = []
    try:
        made.extend(rewards)
    except BaseException:
        for one in made:
            one.close()
        raise
    return made
