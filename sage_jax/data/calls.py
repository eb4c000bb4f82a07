"""Calls of a reward of the user's own: with what it asks for, its values checked, its faults told.

Needs no jax, since worker processes call rewards too.
"""

import asyncio
import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sage_jax.data.columns import Columns
from sage_jax.data.problem import Problem
from sage_jax.parts import Part, place, said
from sage_jax.rewards import values
from sage_jax.rewards.workers import VerifierError
from sage_jax.telling import OneLine, UserError, brief

Value = tuple[float, str]
"""A reward and a word on it."""


class RewardError(OneLine, UserError):
    """A reward of the user's own failed on a completion, or gave what is no reward."""


class Call:
    """A reward as a function of completions and their problems.

    Args:
        part: that is called.
        given: what the trainer gives to functions that ask for it by name.
    """

    def __init__(self, part: Part, given: Mapping[str, Any]):
        self.part = part
        self.columns = Columns(part, given)
        self.is_async = awaits(part.function)
        self._function = part.bound(**given)

    def one(self, completion: str, problem: Problem) -> Value:
        """The reward of a completion, of a function of one.

        Raises:
            RewardError: one line with the reward, the user's own line, and the completion.
        """
        with blamed(self.part, problem, completion):
            return values.with_word(self._function(**self.columns.of_one(completion, problem)))

    def batch(self, completions: list[str], problems: Sequence[Problem]) -> list[Value]:
        """The rewards of completions, of a function of a batch. Raises as `one`."""
        with blamed(self.part):
            found = self._function(**self.columns.of_batch(completions, problems))
            return _with_words(found, len(completions))

    async def one_awaited(self, completion: str, problem: Problem) -> Value:
        """As `one`, of an `async` function."""
        with blamed(self.part, problem, completion):
            asked = self.columns.of_one(completion, problem)
            return values.with_word(await self._function(**asked))

    async def batch_awaited(
        self, completions: list[str], problems: Sequence[Problem]
    ) -> list[Value]:
        """As `batch`, of an `async` function."""
        with blamed(self.part):
            found = await self._function(**self.columns.of_batch(completions, problems))
            return _with_words(found, len(completions))


def _with_words(found: Any, count: int) -> list[Value]:
    return [(number, values.word(number)) for number in values.numbers(found, count)]


def awaits(function: Any) -> bool:
    """Whether what a function gives has to be awaited."""
    return any(map(inspect.iscoroutinefunction, (function, type(function).__call__)))


_PASSED_ON = (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)


@contextlib.contextmanager
def blamed(part: Part, problem: Problem | None = None, completion: str = "") -> Iterator[None]:
    """Tell an exception as one line with the reward, the user's own line, and the completion."""
    try:
        yield
    except (RewardError, VerifierError, *_PASSED_ON):
        raise
    except BaseException as error:  # Of a function that leaves the program, too.
        on = f", {on_what(problem, completion)}" if problem else ""
        where = place(error, part.function)
        raise RewardError(f"{part.field} {part.spec.use}: {said(error)}{where}{on}") from error


def on_what(problem: Problem, completion: str) -> str:
    """The completion that a reward failed on."""
    return f"on problem {problem.id!r} and {brief(completion)}"
