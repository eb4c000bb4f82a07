"""Rewards of the user's own that are `async`: awaited together, each under a deadline."""

from collections.abc import Coroutine, Sequence
from typing import Any

from sage_jax.data.calls import Call, RewardError, Value
from sage_jax.data.problem import Problem
from sage_jax.rewards.awaiting import EventLoop, Stuck
from sage_jax.rewards.math import DEADLINE

_LATE = (0.0, DEADLINE)


class Awaited:
    """An `async` reward, in an event loop of its own.

    Args:
        call: of the function.
        deadline_s: seconds on the wall clock for one call, all of which begin together; one that
            takes longer is cancelled and its rewards are lost.
    """

    def __init__(self, call: Call, *, deadline_s: float):
        self._call, self._deadline_s, self._loop = call, deadline_s, EventLoop()

    def ones(self, completions: list[str], problems: Sequence[Problem]) -> list[Value]:
        """The rewards of completions, awaited together.

        Raises:
            RewardError: as `Call.one`, of the first that fails, or if the function blocks the loop.
        """
        calls = [self._call.one_awaited(*pair) for pair in zip(completions, problems, strict=True)]
        return [one[0] if one else _LATE for one in self._gather(calls)]

    def batch(self, completions: list[str], problems: Sequence[Problem]) -> list[Value]:
        """The rewards of completions, all of one call. Raises as `ones`."""
        call = self._call.batch_awaited(completions, problems)
        (found,) = self._gather([call])
        return found[0] if found else [_LATE] * len(completions)

    def _gather(self, calls: Sequence[Coroutine[Any, Any, Any]]) -> list[tuple[Any, ...]]:
        try:
            return self._loop.gather(calls, deadline_s=self._deadline_s)
        except Stuck:
            part = self._call.part
            raise RewardError(
                f"{part.field} {part.spec.use}: blocks its event loop: await what takes long, or "
                "define it by `def` and isolate it"
            ) from None

    def close(self) -> None:
        """End the loop."""
        self._loop.close()
