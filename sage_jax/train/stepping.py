"""One training step as a function of state, step and cursor: all on the device, or in phases."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax import config as configs
from sage_jax import parallel
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.losses import reduce
from sage_jax.rollout import Rollout
from sage_jax.train import setup
from sage_jax.train.keys import Purpose, derive
from sage_jax.train.play import Played, figures, play, trimmed
from sage_jax.train.state import TrainState

# (state, step, cursor) -> (next state, metrics on the device, what was played)
Step = Callable[[TrainState, int, int], tuple[TrainState, reduce.Metrics, Played]]


def make_step(config: configs.Config, base: setup.Base, start: setup.Start) -> Step:
    """The step for a config: one program where the task is judged on the device."""
    on_device = hasattr(base.task, "reward") and not config.rollout.resample
    return (_whole_step if on_device else _phased_step)(config, base, start)


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
        rewards = np.asarray(rewards)
        rollout = jax.tree.map(np.asarray, rollout)
        ids = [f"step-{step}-{row}" for row in range(config.rollout.num_prompts)]
        prompts = Prompts(ids, rollout.prompt_tokens, rollout.prompt_mask)
        reasons = ["correct" if reward > 0 else "wrong" for reward in rewards]
        judged = Judged(rewards, rewards > 0, [""] * len(rewards), reasons)
        seconds = {"whole": time.perf_counter() - begun}
        played = Played(prompts, rollout, judged, 1, seconds, figures(rollout, judged, 0))
        return state, metrics, played

    return run


def _phased_step(config: configs.Config, base: setup.Base, start: setup.Start) -> Step:
    """Rollout on the device, rewards on the host, score and update on the device."""
    steps, root = start.steps, jax.random.key(config.seed)
    roll, score = jax.jit(steps.rollout), jax.jit(steps.score)
    learn = setup.keep_sharding(steps.learn, start.layout)
    prompt_rows = parallel.batch_sharding(base.mesh, config.rollout.num_prompts)
    rows = parallel.batch_sharding(
        base.mesh, config.rollout.num_prompts * config.rollout.group_size
    )

    def run(state: TrainState, step: int, cursor: int):
        def sample(prompts: Prompts, attempt: int) -> Rollout:
            tokens, mask = jax.device_put((prompts.tokens, prompts.mask), prompt_rows)
            key = derive(root, Purpose.ROLLOUT, step, attempt)
            return roll(state.trained, start.frozen, tokens, mask, key)

        played = play(
            base.task, sample, cursor,
            num_prompts=config.rollout.num_prompts, resample=config.rollout.resample,
        )  # fmt: skip
        begun = time.perf_counter()
        rollout = jax.device_put(trimmed(played.rollout), rows)
        rewards = jax.device_put(played.judged.rewards, rows)
        index = jnp.int32(step)
        terms = score(state.trained, start.frozen, rollout, rewards, root, index)
        jax.block_until_ready(terms)  # Or its work would be booked under the update.
        scored = time.perf_counter()
        state, metrics = learn(state, start.frozen, rollout, terms, root, index)
        jax.block_until_ready(metrics)
        update = time.perf_counter() - scored
        seconds = {**played.seconds, "score": scored - begun, "update": update}
        return state, metrics, played._replace(seconds=seconds)

    return run
