"""Rewards of rollouts: every process judges its own rows, and all of them are told of all."""

import concurrent.futures
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from sage_jax.data.tasks import Judged, Prompts, Task
from sage_jax.parallel import hosts, local_rows
from sage_jax.rollout import Rollout


class Outcome(NamedTuple):
    """What came of B completions, on the host of every process.

    Attributes:
        judged: rewards and answers.
        lengths: int64[B], tokens of each completion.
        finish: int64[B], why each ended; see `rollout.Finish`.
    """

    judged: Judged
    lengths: np.ndarray
    finish: np.ndarray

    def take(self, rows: np.ndarray) -> "Outcome":
        """The completions at `rows`, in that order."""
        return Outcome(self.judged.take(rows), self.lengths[rows], self.finish[rows])

    @classmethod
    def join(cls, parts: "Sequence[Outcome]") -> "Outcome":
        """All completions of all parts."""
        return cls(
            Judged.join([part.judged for part in parts]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.finish for part in parts]),
        )


class Verdicts(NamedTuple):
    """What one process finds of the rows it holds; see `Outcome`.

    Attributes:
        rows: int64[b], their numbers among all B.
        judged: rewards and answers.
        lengths: int64[b].
        finish: int64[b].
    """

    rows: np.ndarray
    judged: Judged
    lengths: np.ndarray
    finish: np.ndarray


class Pending:
    """Rewards that are on their way."""

    def __init__(self, wait: Callable[[], Outcome]):
        self.result = functools.cache(wait)
        """Wait for them. A collective, the first time."""


class Rewards:
    """Judges rollouts in a thread, while the devices and the main thread go on.

    Args:
        task: the judge.
    """

    def __init__(self, task: Task):
        self._task = task
        # One, so that parts are judged in the order they come in.
        self._host = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="rewards")

    def submit(self, prompts: Prompts, parts: Sequence[Rollout]) -> Pending:
        """Ask for the rewards of all completions of N prompts without waiting for anything.

        Args:
            prompts: of all processes.
            parts: rollouts of equal shares of the prompts, in their order, over the mesh, whole
                groups on each process; each is judged as soon as it has been sampled.
        """
        places = np.split(np.arange(len(prompts.ids)), len(parts))
        coming = [
            self._host.submit(verify, self._task, prompts.take(own), part)
            for own, part in zip(places, parts, strict=True)
        ]
        # Exchanged by whoever waits, and not in the thread: a collective waits for all that the
        # devices were given before, on every process in the same order.
        return Pending(lambda: Outcome.join([shared(one.result()) for one in coming]))

    def close(self) -> None:
        """End the thread once it is done with what it is at."""
        self._host.shutdown(wait=False, cancel_futures=True)


def judge(task: Task, prompts: Prompts, rollout: Rollout, *, count: int | None = None) -> Outcome:
    """The outcome of prompts' completions, here and now. A collective; see `Rewards.submit`.

    Args:
        task: the judge.
        prompts: N, of all processes.
        rollout: of those prompts, over the mesh, whole groups on each process.
        count: of the prompts, the first ones, that are judged; by default all.
    """
    return shared(verify(task, prompts, rollout, count=count))


def verify(task: Task, prompts: Prompts, rollout: Rollout, *, count: int | None = None) -> Verdicts:
    """The part of `judge` that each process does by itself, in any thread."""
    rollout = jax.block_until_ready(rollout)
    rows, tokens = local_rows(rollout.tokens)
    mask, finish = local_rows(rollout.mask)[1], local_rows(rollout.finish)[1]
    if count is not None:
        asked = rows < count * rollout.group_size
        rows, tokens, mask, finish = rows[asked], tokens[asked], mask[asked], finish[asked]
    mine = prompts.take(np.unique(rows // rollout.group_size))
    judged = task.judge(mine, tokens, mask) if len(rows) else _NOTHING
    return Verdicts(rows, judged, mask.sum(axis=1).astype(int), finish)


def shared(own: Verdicts) -> Outcome:
    """The outcome of all rows, from what each process knows of its own. A collective."""
    if jax.process_count() == 1:
        return Outcome(own.judged, own.lengths, own.finish)
    told = hosts.gather([_plain(own.rows), _plain(own.lengths), _plain(own.finish), _said(own)])
    rows, lengths, finish, judged = zip(*told, strict=True)
    places, ends, why = (list(itertools.chain(*one)) for one in (rows, lengths, finish))
    whole = Judged.join([_heard(*one) for one in judged])
    return Outcome(whole, np.array(ends, int), np.array(why, int)).take(np.argsort(places))


def _said(own: Verdicts) -> list[Any]:
    """The fields of verdicts, as JSON."""
    *columns, parts, modes, sources = own.judged
    named = {name: _plain(values) for name, values in parts.items()}
    return [*map(_plain, columns), named, _plain(modes), _plain(sources)]


def _heard(
    rewards: Any, correct: Any, answers: Any, reasons: Any, parts: Any, *names: Any
) -> Judged:
    """The verdicts of which `_said` told."""
    named = {name: np.array(values, np.float32) for name, values in parts.items()}
    return Judged(
        np.array(rewards, np.float32), np.array(correct, bool), answers, reasons, named, *names
    )


def _plain(values: Any) -> list[Any]:
    """A column as JSON knows it."""
    return np.asarray(values).tolist() if len(values) else []


_EMPTY: Any = np.zeros(0)
_NOTHING = Judged(_EMPTY, _EMPTY, [], [])
