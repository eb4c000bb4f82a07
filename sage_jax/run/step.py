"""One training step: draw prompts, sample, reward, take log-probabilities, learn."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax import parallel
from sage_jax.data.rates import COLUMNS, rates
from sage_jax.data.tasks import Prompts, Task
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.learner import Learner, Prepared
from sage_jax.learn.non_finite import NonFinite
from sage_jax.learn.state import TrainState
from sage_jax.learn.token_figures import TokenFigures
from sage_jax.losses import Terms, reduce
from sage_jax.rollout import Decoding, Rollout, row_keys
from sage_jax.run import measures
from sage_jax.run.dynamic_sampling import Batch, resample
from sage_jax.run.judging import Outcome, Rewards
from sage_jax.run.stopwatch import Stopwatch


class Taken(NamedTuple):
    """What came of one step.

    Attributes:
        state: after it.
        metrics: of what was sampled, of the update, and seconds by phase.
        non_finite: places as in `NonFinite`, on the host.
        batch: what was learned from.
        drawn: all that was sampled: `batch` alone, or the batches that its groups were taken from.
        figures: of every token of `batch`, without columns that no completion reaches; None at
            steps that nobody asked for them at.
    """

    state: TrainState
    metrics: dict[str, float]
    non_finite: NonFinite
    batch: Batch
    drawn: Sequence[Batch]
    figures: TokenFigures | None = None


class Step:
    """Takes the steps of a run; a function of what it is called with.

    Args:
        learner: of the run.
        task: prompts and judge.
        decoding: how to sample.
        root: the run's root key.
        num_prompts: N, of one batch.
        dynamic_sampling: further batches allowed, see `resample`.
        chunks: that a batch is sampled in; the answers of one are judged while the devices sample
            the next. Rows have keys of their own, so that this changes no result.
        shown: (step) -> whether to look at every token of it; changes no result.
    """

    def __init__(
        self,
        learner: Learner,
        task: Task,
        decoding: Decoding,
        *,
        root: jax.Array,
        num_prompts: int,
        dynamic_sampling: int = 0,
        chunks: int = 1,
        shown: Callable[[int], bool] = lambda step: False,
    ):
        self._learner, self._task, self._decoding = learner, task, decoding
        self._root, self._num_prompts, self._chunks = root, num_prompts, chunks
        self._resample = functools.partial(
            resample, num_prompts=num_prompts, more=dynamic_sampling, sharding=self._by_row
        )
        self._rewards, self._clock, self._shown = Rewards(task), Stopwatch(), shown

    def __call__(self, state: TrainState, step: int, cursor: int) -> Taken:
        """Take a step; the state's memory is given away.

        Args:
            state: before it.
            step: its number, from 0.
            cursor: index of the first batch of prompts.
        """

        def collect(attempt: int) -> Batch:
            prompts = self._task.train_prompts(cursor + attempt, self._num_prompts)
            chunks = self._sample(state, prompts, step, attempt)
            rewards = self._rewards.submit(prompts, chunks)  # Judged from here on, in a thread.
            return Batch(prompts, self._joined(chunks), self._clock.timed("reward", rewards))

        with self._clock("step"):
            batch, drawn = self._resample(collect)
            prepared, terms = self._logprobs(state, batch.rollout)  # On the devices, meanwhile.
            batch.rewards.result()  # Waited for outside of what counts as the update.
            figures = self._figures(state, prepared, terms, batch, step)
            learned = self._learn(state, prepared, terms, batch, step)
        return self._taken(*learned, prepared, batch, drawn)._replace(figures=figures)

    def close(self) -> None:
        """End the thread that judges."""
        self._rewards.close()

    def _sample(
        self, state: TrainState, prompts: Prompts, step: int, attempt: int
    ) -> list[Rollout]:
        with self._clock("rollout"):
            count = len(prompts.ids)
            rows = count * self._decoding.group_size
            keys = _row_keys(self._root, step, attempt, rows=rows, chunks=self._chunks)
            places = np.split(np.arange(count), self._chunks)
            return [
                self._learner.sample(state, prompts.take(own), self._decoding, key=one)
                for own, one in zip(places, keys, strict=True)
            ]

    def _joined(self, chunks: list[Rollout]) -> Rollout:
        with self._clock("rollout"):
            whole = chunks[0] if len(chunks) == 1 else _joiner(self._by_row)(chunks)
            return jax.block_until_ready(whole)

    def _logprobs(self, state: TrainState, rollout: Rollout) -> tuple[Prepared, Terms]:
        with self._clock("logprobs"):
            prepared = self._learner.prepare(rollout)
            return prepared, self._learner.terms(state, prepared)

    def _figures(
        self, state: TrainState, prepared: Prepared, terms: Terms, batch: Batch, step: int
    ) -> TokenFigures | None:
        """Of the state before the update, which eats it."""
        if not self._shown(step):
            return None
        with self._clock("logprobs"):
            known = self._known(batch, step)
            return jax.block_until_ready(self._learner.figures(state, prepared, terms, **known))

    def _known(self, batch: Batch, step: int) -> dict[str, Any]:
        """What the learner is told of a batch, and when it learns from it."""
        rewards = batch.rewards.result().judged.rewards
        return {"rewards": rewards, "step": step, "key": self._root, "outcome": told(batch)}

    def _learn(
        self, state: TrainState, prepared: Prepared, terms: Terms, batch: Batch, step: int
    ) -> tuple[TrainState, reduce.Metrics, NonFinite]:
        with self._clock("update"):  # On its way before anything is waited for.
            learned = self._learner.apply(state, prepared, terms, **self._known(batch, step))
        with self._clock("logprobs"):
            jax.block_until_ready(terms)
        with self._clock("update"):
            return jax.block_until_ready(learned)

    def _taken(
        self,
        state: TrainState,
        metrics: reduce.Metrics,
        bad: NonFinite,
        prepared: Prepared,
        batch: Batch,
        drawn: Sequence[Batch],
    ) -> Taken:
        outcome = Outcome.join([one.rewards.result() for one in drawn])
        seen = measures.of_samples(outcome, batch.rollout.group_size)
        seen["groups/batches_drawn"] = float(len(drawn))
        seen["prompts/dropped"] = float(drawn[0].prompts.dropped)
        judged, lengths, _ = batch.rewards.result()
        seen["padding"] = prepared.padding(int(lengths.sum()))
        values = {name: np.asarray(metric.value()).item() for name, metric in metrics.items()}
        parts = judged.means()
        seconds = measures.of_time(self._clock.read(), seen["tokens/sampled"])
        host = NonFinite(*map(int, bad))
        return Taken(state, seen | values | parts | seconds, host, batch, drawn)

    @property
    def _by_row(self) -> jax.sharding.NamedSharding:
        return parallel.batch_sharding(self._learner.policy.mesh, self._num_prompts)


def told(batch: Batch) -> dict[str, np.ndarray]:
    """What is known of B completions beside their rewards, as `Learner.update` takes it.

    Rates of the data are there where all problems of the batch have them, modes where the task
    tells ways of being right apart; their numbers are of this batch alone.
    """
    judged = batch.rewards.result().judged
    known = {"right": judged.correct}
    if judged.modes:
        numbers = np.unique(judged.modes, return_inverse=True)[1].astype(np.int32)
        known["modes"] = np.where(np.array(judged.modes) == "", -1, numbers)
    for name in sorted(COLUMNS):
        found = rates(batch.prompts.problems, name)
        if found is not None:
            known[name] = np.repeat(found, batch.rollout.group_size)
    return known


@functools.partial(jax.jit, static_argnames=("rows", "chunks"))
def _row_keys(
    root: jax.Array, step: int, attempt: int, *, rows: int, chunks: int
) -> list[jax.Array]:
    """A key for each completion, by chunks."""
    keys = row_keys(derive(root, Purpose.ROLLOUT, step, attempt), rows)
    return list(keys.reshape(chunks, -1))


@functools.cache
def _joiner(sharding: jax.sharding.NamedSharding) -> Callable[[list[Rollout]], Rollout]:
    """A program that lays chunks of a rollout under one another, on the devices."""

    def run(chunks: list[Rollout]) -> Rollout:
        return jax.tree.map(lambda *own: jnp.concatenate(own), *chunks)

    return jax.jit(run, out_shardings=sharding)
