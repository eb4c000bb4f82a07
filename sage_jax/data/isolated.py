"""Rewards of the user's own in worker processes: what is sent, and what answers there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sage_jax.data.calls import Call, RewardError, Value
from sage_jax.data.problem import Problem
from sage_jax.parts import REWARDS, Part, RewardSpec, resolve
from sage_jax.rewards import LOST
from sage_jax.rewards.math import CRASHED, MEMORY
from sage_jax.rewards.workers import MEMORY_LIMIT, WorkerPool

# Lost calls without any other: a function that never works would take hours to end a run.
_GIVE_UP = 16
# What a worker survives, but not the call.
_LOST_BY: dict[type[BaseException], str] = {MemoryError: MEMORY, RecursionError: CRASHED}


class Isolated:
    """A reward that worker processes call.

    Args:
        part: the function, which they import themselves.
        given: what the trainer gives to functions that ask for it by name.
        num_workers: processes.
        deadline_s: CPU seconds for one call; five times as many on the wall clock.
    """

    def __init__(
        self, part: Part, given: Mapping[str, Any], *, num_workers: int, deadline_s: float
    ):
        spec = part.spec
        assert isinstance(spec, RewardSpec)
        options = {
            "spec": spec.model_dump(mode="json"),
            "field": part.field,
            "given": {name: value for name, value in given.items() if part.asks(name)},
        }
        self._pool = WorkerPool(
            ("sage_jax.data.isolated:make", options),
            title=f"{part.field} {spec.use}",
            num_workers=num_workers,
            deadline_s=deadline_s,
            give_up=_GIVE_UP,
            memory_limit=int(spec.memory_gb * 1e9) if spec.memory_gb else MEMORY_LIMIT,
        )

    def ones(self, completions: list[str], problems: Sequence[Problem]) -> list[Value]:
        """The rewards of completions, one call each, side by side.

        Raises:
            RewardError: as `Call.one`.
            VerifierError: if no worker can work.
        """
        coming = [
            self._pool.ask({"completions": [text], "problems": [vars(problem)]}, _values_of(1))
            for text, problem in zip(completions, problems, strict=True)
        ]
        return [value for one in coming for value in one.result()]

    def batch(self, completions: list[str], problems: Sequence[Problem]) -> list[Value]:
        """The rewards of completions, all in one call. Raises as `ones`."""
        asked = {"completions": completions, "problems": [vars(problem) for problem in problems]}
        return self._pool.ask(asked, _values_of(len(completions))).result()

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def _values_of(count: int) -> Callable[[dict[str, Any], float], list[Value]]:
    """A function that reads a worker's answer to a call on so many completions."""

    def read(reply: dict[str, Any], seconds: float) -> list[Value]:
        if fault := reply.get("fault"):
            raise RewardError(fault)
        if (reason := reply.get("reason")) in LOST:
            return [(0.0, reason)] * count
        return [(value, word) for value, word in reply["values"]]

    return read


def make(spec: dict[str, Any] | str, field: str, given: dict[str, Any]) -> Callable[..., Any]:
    """In a worker: import the function, check it once more, and give what answers by it."""
    call = Call(resolve(RewardSpec.model_validate(spec), REWARDS, field=field), given)

    def answer(completions: list[str], problems: list[dict[str, Any]]) -> dict[str, Any]:
        asked = [Problem(**problem) for problem in problems]
        try:
            if call.columns.is_batch:
                return {"values": call.batch(completions, asked)}
            return {"values": [call.one(completions[0], asked[0])]}
        except RewardError as error:
            return _told(error)

    return answer


def _told(error: RewardError) -> dict[str, Any]:
    for kind, reason in _LOST_BY.items():
        if isinstance(error.__cause__, kind):
            return {"reason": reason}
    return {"fault": str(error)}
