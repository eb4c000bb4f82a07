"""One training step as a function of state, step and cursor: all on the device, or in phases."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax import config as configs
from sage_jax import parallel
from sage_jax import rollout as rollouts
from sage_jax.data.judging import Outcome, Verdicts, shared
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.state import TrainState
from sage_jax.losses import reduce
from sage_jax.rollout import Rollout
from sage_jax.train import setup
from sage_jax.train.play import Played, Scored, bucket, figures, play

# (state, step, cursor) -> (next state, metrics on the device, what was played)
Step = Callable[[TrainState, int, int], tuple[TrainState, reduce.Metrics, Played]]


def make_step(config: configs.Config, base: setup.Base, start: setup.Start) -> Step:
    """The step for a config: one program where the task is judged on the device."""
    whole = judged_on_device(config, base.task)
    return (_whole_step if whole else _phased_step)(config, base, start)


def judged_on_device(config: configs.Config, task: Any) -> bool:
    """Whether a step is one program, in which nothing is known of the completions' lengths."""
    return hasattr(task, "reward") and not config.rollout.dynamic_sampling


def _whole_step(config: configs.Config, base: setup.Base, start: setup.Start) -> Step:
    """Draw, sample, judge and learn as one program."""
    task: Any = base.task
    root = jax.random.key(config.seed)
    whole = setup.keep_sharding(
        start.steps.whole, start.layout, draw=task.draw, reward=task.reward,
        num_prompts=config.rollout.num_prompts,
        rows=parallel.batch_sharding(base.mesh, config.rollout.num_prompts),
    )  # fmt: skip

    def run(state: TrainState, step: int, cursor: int):
        begun = time.perf_counter()
        state, metrics, rollout, rewards = whole(state, start.frozen, root, jnp.int32(step))
        outcome = _outcome(rollout, rewards)
        ids = [f"step-{step}-{row}" for row in range(config.rollout.num_prompts)]
        seconds = {"whole": time.perf_counter() - begun}
        seen = figures(outcome, config.rollout.group_size)
        return state, metrics, Played(ids, rollout, outcome, 1, seconds, seen)

    return run


def _outcome(rollout: Rollout, rewards: jax.Array) -> Outcome:
    """What came of completions that were judged on the device."""
    rows, own = parallel.own_rows(rewards)
    lengths = parallel.own_rows(rollout.mask)[1].sum(axis=1).astype(int)
    reasons = ["correct" if reward > 0 else "wrong" for reward in own]
    judged = Judged(own, own > 0, [""] * len(own), reasons)
    return shared(Verdicts(rows, judged, lengths, parallel.own_rows(rollout.finish)[1]))


def _phased_step(config: configs.Config, base: setup.Base, start: setup.Start) -> Step:
    """Rollout on the device, score there while the host gives rewards, update on the device."""
    steps, root, knobs = start.steps, jax.random.key(config.seed), config.rollout
    num_prompts, room = knobs.num_prompts, knobs.max_completion_length
    rows = parallel.batch_sharding(base.mesh, num_prompts)
    roll = jax.jit(steps.rollout, out_shardings=rows)
    passes = jax.jit(steps.score)
    learn = setup.keep_sharding(steps.learn, start.layout)
    cut = jax.jit(_cut, static_argnames="length", out_shardings=rows)
    whole = parallel.replicated(base.mesh)
    count = jax.jit(_lengths, out_shardings=whole)

    def run(state: TrainState, step: int, cursor: int):
        def sample(prompts: Prompts, attempt: int) -> list[Rollout]:
            key = derive(root, Purpose.ROLLOUT, step, attempt)
            keys = rollouts.row_keys(key, num_prompts * knobs.group_size)
            arrays = (prompts.tokens, prompts.mask, keys)
            parts = [x.reshape(knobs.chunks, -1, *x.shape[1:]) for x in arrays]
            return [roll(state.trained, start.frozen, *parallel.spread(part, rows))
                    for part in zip(*parts, strict=True)]  # fmt: skip

        def score(rollout: Rollout) -> Scored:
            lengths = np.asarray(count(rollout.mask))
            rollout = cut(rollout, length=bucket(int(lengths.max()), room))
            packing = parallel.spread(steps.pack(lengths, rollout), whole)
            terms = passes(state.trained, start.frozen, rollout, packing)
            return Scored(rollout, terms, packing)

        played = play(
            base.task, sample, score, cursor,
            num_prompts=num_prompts, dynamic_sampling=knobs.dynamic_sampling, rows=rows,
        )  # fmt: skip
        begun = time.perf_counter()
        # Or its work would be booked under the update.
        assert played.scored is not None
        rollout, terms, packing = jax.block_until_ready(played.scored)
        scored = time.perf_counter()
        rewards = parallel.spread(played.outcome.judged.rewards, rows)
        state, metrics = learn(
            state, start.frozen, rollout, terms, rewards, root, jnp.int32(step), packing
        )
        jax.block_until_ready(metrics)
        seconds = played.seconds | {"update": time.perf_counter() - scored}
        seconds["score"] += scored - begun  # What is left of it when the rewards are there.
        padding = 1 - float(played.outcome.lengths.sum()) / played.scored.slots
        seen = played.figures | {"padding": padding}
        return state, metrics, played._replace(seconds=seconds, figures=seen, scored=None)

    return run


def _lengths(mask: jax.Array) -> jax.Array:
    """int32[B], tokens of each completion."""
    return mask.astype(jnp.int32).sum(axis=1)


def _cut(rollout: Rollout, *, length: int) -> Rollout:
    """The rollout without the columns from `length` on."""
    cut = {name: getattr(rollout, name)[:, :length] for name in ("tokens", "mask", "logps")}
    return dataclasses.replace(rollout, **cut)
