"""One training step as a function of state, step and cursor: all on the device, or in phases."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from sage_jax import config as configs
from sage_jax import parallel
from sage_jax import rollout as rollouts
from sage_jax.data.judging import Outcome, Verdicts, shared
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.learner import Learner
from sage_jax.learn.placement import keep_sharding
from sage_jax.learn.state import TrainState
from sage_jax.losses import reduce
from sage_jax.rollout import Decoding, Rollout
from sage_jax.train import setup
from sage_jax.train.play import Played, Scored, figures, play

# (state, step, cursor) -> (next state, metrics on the device, what was played)
Step = Callable[[TrainState, int, int], tuple[TrainState, reduce.Metrics, Played]]


def make_step(config: configs.Config, base: setup.Base, learner: Learner) -> Step:
    """The step for a config: one program where the task is judged on the device."""
    whole = judged_on_device(config, base.task)
    return (_whole_step if whole else _phased_step)(config, base, learner)


def judged_on_device(config: configs.Config, task: Any) -> bool:
    """Whether a step is one program, in which nothing is known of the completions' lengths."""
    return hasattr(task, "reward") and not config.rollout.dynamic_sampling


def _whole_step(config: configs.Config, base: setup.Base, learner: Learner) -> Step:
    """Draw, sample, judge and learn as one program."""
    root = jax.random.key(config.seed)
    whole = keep_sharding(
        whole_step(
            learner, base.task, setup.decoding(config, base.task),
            num_prompts=config.rollout.num_prompts,
        ),
        learner.layout,
    )  # fmt: skip

    def run(state: TrainState, step: int, cursor: int):
        begun = time.perf_counter()
        state, metrics, rollout, rewards = whole(state, learner.frozen, root, jnp.int32(step))
        outcome = _outcome(rollout, rewards)
        ids = [f"step-{step}-{row}" for row in range(config.rollout.num_prompts)]
        seconds = {"whole": time.perf_counter() - begun}
        seen = figures(outcome, config.rollout.group_size)
        return state, metrics, Played(ids, rollout, outcome, 1, seconds, seen)

    return run


def whole_step(
    learner: Learner, task: Any, decoding: Decoding, *, num_prompts: int
) -> Callable[..., Any]:
    """(state, frozen, root, step) -> (state, metrics, rollout, rewards [B]); pure.

    Draw, sample, judge and learn in one, for tasks judged on the device.

    Args:
        learner: of the run.
        task: with `draw`, (key, N) -> prompts int32[N, P], and `reward`, (prompts [B, P], tokens
            [B, T], mask [B, T]) -> rewards [B].
        decoding: how to sample.
        num_prompts: N.
    """
    rows = parallel.batch_sharding(learner.policy.mesh, num_prompts)
    sample = setup.sampler(learner.policy, decoding)

    def run(state: TrainState, frozen: Any, root: jax.Array, step: jax.Array):
        prompts = task.draw(derive(root, Purpose.PROMPTS, step), num_prompts)
        # Nothing else tells the compiler to split what it draws itself.
        prompts = jax.lax.with_sharding_constraint(prompts, rows)
        key = derive(root, Purpose.ROLLOUT, step, 0)
        model = learner.policy.modules.decoder(state.trained, frozen)
        rollout = sample(*model, prompts, jnp.ones_like(prompts, bool), key)
        repeated = jnp.repeat(prompts, rollout.group_size, axis=0)
        rewards = task.reward(repeated, rollout.tokens, rollout.mask)
        terms = learner.logprobs(state.trained, frozen, rollout)
        state, metrics = learner.learn(state, frozen, rollout, terms, rewards, root, step)
        return state, metrics, rollout, rewards

    return run


def _outcome(rollout: Rollout, rewards: jax.Array) -> Outcome:
    """What came of completions that were judged on the device."""
    rows, own = parallel.own_rows(rewards)
    lengths = parallel.own_rows(rollout.mask)[1].sum(axis=1).astype(int)
    reasons = ["correct" if reward > 0 else "wrong" for reward in own]
    judged = Judged(own, own > 0, [""] * len(own), reasons)
    return shared(Verdicts(rows, judged, lengths, parallel.own_rows(rollout.finish)[1]))


def _phased_step(config: configs.Config, base: setup.Base, learner: Learner) -> Step:
    """Rollout on the device, score there while the host gives rewards, update on the device."""
    root, options = jax.random.key(config.seed), config.rollout
    num_prompts = options.num_prompts
    rows = parallel.batch_sharding(base.mesh, num_prompts)
    decode = setup.sampler(learner.policy, setup.decoding(config, base.task))

    def complete(trained: Any, frozen: Any, *arrays: jax.Array) -> Rollout:
        return decode(*learner.policy.modules.decoder(trained, frozen), *arrays)

    roll = jax.jit(complete, out_shardings=rows)
    passes = jax.jit(learner.logprobs)
    learn = keep_sharding(learner.learn, learner.layout)

    def run(state: TrainState, step: int, cursor: int):
        def sample(prompts: Prompts, attempt: int) -> list[Rollout]:
            key = derive(root, Purpose.ROLLOUT, step, attempt)
            keys = rollouts.row_keys(key, num_prompts * options.group_size)
            arrays = (prompts.tokens, prompts.mask, keys)
            parts = [x.reshape(options.chunks, -1, *x.shape[1:]) for x in arrays]
            return [roll(state.trained, learner.frozen, *parallel.spread(part, rows))
                    for part in zip(*parts, strict=True)]  # fmt: skip

        def score(rollout: Rollout) -> Scored:
            rollout, packing, _ = learner.prepare(rollout)
            terms = passes(state.trained, learner.frozen, rollout, packing)
            return Scored(rollout, terms, packing)

        played = play(
            base.task, sample, score, cursor,
            num_prompts=num_prompts, dynamic_sampling=options.dynamic_sampling, rows=rows,
        )  # fmt: skip
        begun = time.perf_counter()
        # Or its work would be booked under the update.
        assert played.scored is not None
        rollout, terms, packing = jax.block_until_ready(played.scored)
        scored = time.perf_counter()
        rewards = parallel.spread(played.outcome.judged.rewards, rows)
        state, metrics = learn(
            state, learner.frozen, rollout, terms, rewards, root, jnp.int32(step), packing
        )
        jax.block_until_ready(metrics)
        seconds = played.seconds | {"update": time.perf_counter() - scored}
        seconds["score"] += scored - begun  # What is left of it when the rewards are there.
        padding = 1 - float(played.outcome.lengths.sum()) / played.scored.slots
        seen = played.figures | {"padding": padding}
        return state, metrics, played._replace(seconds=seconds, figures=seen, scored=None)

    return run
