"""Rewards of completions by the forms in which a user may write them.

| form | asks for | gives |
| --- | --- | --- |
| of one completion | `completion`, perhaps columns of its problem | a number, or (number, reason) |
| of a batch, as in TRL | `completions`, perhaps columns, `**kwargs` | B numbers |
| of tokens, in JAX | `tokens` [B, T], `mask` [B, T] | [B]; jitted, on a device of this process |
| a judge | none of these; called once | an object with `score(pairs) -> list[Verdict]` |

The first two may be `async`, or isolated in worker processes.
"""

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from sage_jax.data.awaited import Awaited
from sage_jax.data.calls import Call, RewardError, Value, awaits, blamed
from sage_jax.data.columns import OWN
from sage_jax.data.isolated import Isolated
from sage_jax.data.problem import Problem
from sage_jax.faults import ConfigError
from sage_jax.parts import REWARDS, Part, RewardSpec, resolve
from sage_jax.parts.modules import near_miss
from sage_jax.rewards import Verdict, extract, values
from sage_jax.telling import brief

__all__ = [
    "Batch",
    "Given",
    "Judge",
    "Reward",
    "RewardError",
    "closed_on_failure",
    "judged_by",
    "make_reward",
    "refuse_missing_columns",
]


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
        found: rewards of a batch; `score` tells what it raises.
        judge: behind it, where there is one; or the workers or the event loop that are.
        part: that it is made of, for messages.
        call: by which a function of completions is called.
        correct_from: the least reward that counts as correct; None for all above 0.
    """

    name: str
    weight: float
    found: Callable[[Batch], Given]
    judge: Any = None
    part: Part | None = None
    call: Call | None = None
    correct_from: float | None = None

    def score(self, batch: Batch) -> Given:
        """Rewards of a batch.

        Raises:
            RewardError: one line with whatever the reward raises, or what it gives instead.
            VerifierError: if worker processes cannot work.
        """
        with self._blamed():
            return self._said(self.found(batch))

    def _said(self, given: Given) -> Given:
        """What is above 0 and not yet correct is called partial."""
        pairs = zip(given.reasons, self.correct(given.rewards), strict=True)
        words = ["partial" if word == "correct" and not right else word for word, right in pairs]
        return given._replace(reasons=words)

    def correct(self, rewards: np.ndarray) -> np.ndarray:
        """Which of some rewards are of a right completion, bool [B]."""
        return rewards > 0 if self.correct_from is None else rewards >= self.correct_from

    def answer(self, completion: str) -> str | None:
        """The final answer of a completion, for majority votes. Raises as `score`."""
        with self._blamed():
            found = getattr(self.judge, "answer", extract)(completion)
            if not isinstance(found, str | None):
                raise ValueError(f"answer() gives {brief(found)}, which is no text")
            return found

    def close(self) -> None:
        """Let go of processes. Raises as `score`."""
        with self._blamed():
            getattr(self.judge, "close", lambda: None)()

    def _blamed(self) -> contextlib.AbstractContextManager[None]:
        return blamed(self.part) if self.part else contextlib.nullcontext()


def judged_by(judge: Judge, *, name: str = "judge", weight: float = 1.0) -> Reward:
    """The reward that a judge's verdicts give."""
    return Reward(name, weight, lambda batch: _verdicts(judge, name, batch), judge)


def make_reward(spec: RewardSpec, *, field: str, **given: Any) -> Reward:
    """The reward that a config names.

    Args:
        spec: its name, weight and arguments.
        field: of the config, for messages.
        given: what the trainer gives to functions that ask for it by name; of these, `num_workers`
            and `deadline_s` are what isolated and `async` functions run under.

    Raises:
        ConfigError: if there is no such reward, its arguments do not fit, it has none of the forms
            above, or one that cannot be isolated though it should.
    """
    part = resolve(spec, REWARDS, field=field)
    if spec.deadline_s:
        given["deadline_s"] = spec.deadline_s
    if problem := next(_impossible(part, spec), None):
        raise ConfigError(f"{field}: {spec.use} {problem}")
    return dataclasses.replace(_made(part, spec, given), correct_from=spec.correct_from)


def _made(part: Part, spec: RewardSpec, given: Mapping[str, Any]) -> Reward:
    if part.asks("completion") or part.asks("completions"):
        return _of_completions(part, spec, given)
    if part.asks("tokens"):
        return Reward(spec.title, spec.weight, _by_token(part, given), part=part)
    return _judging(part, spec, given)


def _impossible(part: Part, spec: RewardSpec) -> Iterator[str]:
    """What does not go together with the function's form."""
    in_words = part.asks("completion") or part.asks("completions")
    in_jax = not in_words and part.asks("tokens")
    waits = awaits(part.function)
    if waits and not in_words:
        yield "is async, which rewards of a completion or of completions can be alone"
    if spec.isolate and not in_words:
        what = "computes on this process's devices" if in_jax else "is a judge, called here"
        yield f"{what}, so that `isolate` cannot be: leave it out, or ask for completion"
    if spec.isolate and waits:
        yield "is async, and awaited here: leave `isolate` out, or define it by `def`"
    if spec.isolate and part.asks("tokenizer"):
        yield "asks for tokenizer, which worker processes do not have: leave `isolate` out"
    if spec.isolate and spec.module == "__main__":
        yield "lies in no file that worker processes could import: leave `isolate` out"
    if spec.memory_gb and not spec.isolate:
        yield "has no memory limit but with `isolate: true`: give that, or leave `memory_gb` out"
    if spec.deadline_s and not (spec.isolate or waits or part.asks("deadline_s")):
        yield "has no deadline but with `isolate: true`: give that, or leave `deadline_s` out"


def _of_completions(part: Part, spec: RewardSpec, given: Mapping[str, Any]) -> Reward:
    call = Call(part, given)
    deadline_s, behind = given.get("deadline_s", 5.0), None
    ones, batch = lambda *asked: list(map(call.one, *asked)), call.batch
    if spec.isolate:
        workers = given.get("num_workers", 2)
        behind = Isolated(part, given, num_workers=workers, deadline_s=deadline_s)
    elif call.is_async:
        behind = Awaited(call, deadline_s=deadline_s)
    if behind:
        ones, batch = behind.ones, behind.batch
    asked = batch if call.columns.is_batch else ones

    return Reward(
        spec.title,
        spec.weight,
        lambda b: _given(asked(b.completions, b.problems)),
        behind,
        part,
        call,
    )


def _given(found: Sequence[Value]) -> Given:
    return Given(np.array([value for value, _ in found], np.float32), [word for _, word in found])


def _by_token(part: Part, given: Mapping[str, Any]) -> Callable[[Batch], Given]:
    function = jax.jit(part.bound(**given))

    def score(batch: Batch) -> Given:
        asked = {"tokens": batch.tokens, "mask": batch.mask}
        found = function(**{n: v for n, v in asked.items() if part.asks(n)})
        numbers = values.numbers(np.asarray(found), len(batch.tokens))
        return _given([(number, values.word(number)) for number in numbers])

    return score


def _judging(part: Part, spec: RewardSpec, given: Mapping[str, Any]) -> Reward:
    judge = part.call(**given)
    if not callable(getattr(judge, "score", None)):
        raise ConfigError(
            f"{part.field}: {spec.use} asks for no completion, completions or tokens, and gives "
            f"{brief(judge)}, which has no score(pairs)"
        )
    return Reward(
        spec.title, spec.weight, lambda batch: _verdicts(judge, spec.title, batch), judge, part
    )


def _verdicts(judge: Judge, name: str, batch: Batch) -> Given:
    pairs = [
        (text, one.answer, one.problem)
        for text, one in zip(batch.completions, batch.problems, strict=True)
    ]
    found = judge.score(pairs)
    if inspect.iscoroutine(found):
        found.close()
        raise ValueError("score() gives a coroutine: define it by `def`")
    if len(found) != len(pairs):
        raise RewardError(f"reward {name}: {len(found)} verdicts on {len(pairs)} completions")
    return _given([(values.number(one.reward), str(one.reason)) for one in found])


def refuse_missing_columns(rewards: Iterable[Reward], problems: Sequence[Problem]) -> None:
    """Refuse a reward that asks for a column which no problem has.

    Raises:
        ConfigError: one line with the reward, the column, and which columns there are.
    """
    for part, call in ((one.part, one.call) for one in rewards):
        missing, there = call.columns.missing(problems) if call else ([], [])
        if part and missing:
            has = f"there are {', '.join(there)}" if there else "there are none"
            raise ConfigError(
                f"{part.field}: {part.spec.use} asks for {missing[0]!r}, which the config does not "
                f"give and which is no column of the problems"
                f"{near_miss(missing[0], [*there, *OWN])}; {has} beside {', '.join(OWN)}"
            )


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
