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
        judged = self.judged
        return Outcome(
            Judged(
                judged.rewards[rows],
                judged.correct[rows],
                [judged.answers[row] for row in rows],
                [judged.reasons[row] for row in rows],
                {name: values[rows] for name, values in judged.parts.items()},
                [judged.modes[int(row)] for row in rows] if judged.modes else [],
            ),
            self.lengths[rows],
            self.finish[rows],
        )

    @classmethod
    def join(cls, parts: "Sequence[Outcome]") -> "Outcome":
        """All completions of all parts."""
        judged = [part.judged for part in parts]
        return cls(
            Judged(
                np.concatenate([one.rewards for one in judged]),
                np.concatenate([one.correct for one in judged]),
                [answer for one in judged for answer in one.answers],
                [reason for one in judged for reason in one.reasons],
                {n: np.concatenate([one.parts[n] for one in judged]) for n in judged[0].parts},
                [mode for one in judged for mode in one.modes],
            ),
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
    *columns, parts, modes = own.judged
    columns = [own.rows, own.lengths, own.finish, *columns, modes]
    named = {name: list(map(_plain, values)) for name, values in parts.items()}
    told = hosts.gather([[list(map(_plain, column)) for column in columns], named])
    places, ends, why, rewards, correct, answers, reasons, modes = (
        list(itertools.chain(*own)) for own in zip(*(said for said, _ in told), strict=True)
    )
    # A process without rows names no parts.
    names = dict.fromkeys(itertools.chain(*(named for _, named in told)))
    judged = Judged(
        np.array(rewards, np.float32),
        np.array(correct, bool),
        answers,
        reasons,
        {
            name: np.array(
                [value for _, named in told for value in named.get(name, ())], np.float32
            )
            for name in names
        },
        modes,
    )
    return Outcome(judged, np.array(ends, int), np.array(why, int)).take(np.argsort(places))


def _plain(value: Any) -> Any:
    """A NumPy scalar as JSON knows it."""
    return value.item() if isinstance(value, np.generic) else value


_EMPTY: Any = np.zeros(0)
_NOTHING = Judged(_EMPTY, _EMPTY, [], [])
