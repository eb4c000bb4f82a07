"""One run of a comparison as pure functions: a warm-start, and what an arm makes of it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from sage_jax.data.puzzle import which
from sage_jax.learn import Policy
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.optimizer import make_optimizer, make_schedule
from sage_jax.learn.passes import Pass
from sage_jax.learn.sequences import Sequences
from sage_jax.learn.shards import Shards
from sage_jax.learn.state import TrainState
from sage_jax.learn.steps import Steps
from sage_jax.learn.update import Update
from sage_jax.losses import Terms, reduce
from studies.exact import Judgement, judge
from studies.setting import Setting

Values = Mapping[str, jax.Array]
"""Numbers that an arm is called with, traced: one program for all of them."""

_DATA, _NOISE, _HELD_OUT = 1, 2, 3


class Run(NamedTuple):
    """What came of one run.

    Attributes:
        judged: exact, on held-out problems.
        kl: nats a token to the reference, mean of the last tenth of steps.
        entropy: nats a token, likewise.
    """

    judged: Judgement
    kl: jax.Array
    entropy: jax.Array


def warm_start(setting: Setting, policy: Policy, params: Any, key: jax.Array) -> Any:
    """Weights after supervised fine-tuning on noisy demonstrations; pure.

    Args:
        setting: of the study.
        policy: for its module.
        params: random weights.
        key: of the demonstrations.
    """
    optimizer = make_optimizer(
        make_schedule(
            "cosine",
            setting.warmup_rate,
            warmup_steps=setting.warmup_steps // 10,
            total_steps=setting.warmup_steps,
            end_factor=0.0,
        )
    )
    shards = Shards.of(policy.mesh, policy.loaded.config.vocab_size)
    each = Pass(1.0, setting.warmup_batch, shards)
    update = Update(policy.modules, _likelihood, optimizer, each)

    def step(state: TrainState, number: jax.Array) -> tuple[TrainState, None]:
        shown = setting.puzzle.demonstrate(jax.random.fold_in(key, number), setting.warmup_batch)
        mask = jnp.ones(shown.planted.shape, jnp.float32)
        rows = Sequences(shown.prompts, jnp.ones(shown.prompts.shape, bool), shown.planted, mask)
        terms = Terms(logps=jnp.zeros_like(mask), mask=mask)
        return update(state, None, rows, terms, key, number)[0], None

    state = TrainState.create(params, optimizer)
    return jax.lax.scan(step, state, jnp.arange(setting.warmup_steps))[0].trained


def train(
    setting: Setting,
    policy: Policy,
    arm: Callable[[Values], dict[str, Any]],
    params: Any,
    values: Values,
    key: jax.Array,
) -> Run:
    """Reinforcement learning from a warm-start by one arm, and its judgement; pure.

    Args:
        setting: of the study.
        policy: for its module.
        arm: values -> the arguments of `Steps` by which it differs from others.
        params: of the warm-start, which also is the reference.
        values: of the arm, and `learning_rate`.
        key: of prompts, samples and noise: the same one gives all arms of a pair the same draws.
    """
    schedule = optax.linear_schedule(1.0, 0.0, setting.steps)
    optimizer = make_optimizer(
        lambda count: values["learning_rate"] * schedule(count), weight_decay=0.01
    )
    steps = Steps(policy, optimizer=optimizer, packing=False, reference=True, **arm(values))
    decoding, _ = policy.decoding(setting.decoding)
    puzzle = setting.puzzle

    def step(state: TrainState, number: jax.Array) -> tuple[TrainState, dict[str, jax.Array]]:
        drawn = jax.random.fold_in(jax.random.fold_in(key, _DATA), number)
        prompts = puzzle.draw(drawn, setting.num_prompts, False).prompts
        mask = jnp.ones(prompts.shape, bool)
        noise = derive(jax.random.fold_in(key, _NOISE), Purpose.ROLLOUT, number, 0)
        rollout = steps.rollout(state.trained, params, prompts, mask, noise, decoding)
        terms = steps.logprobs(state.trained, params, rollout)
        terms = dataclasses.replace(terms, **_outcome(setting, prompts, rollout))
        state, metrics, _ = steps.learn(state, params, rollout, terms, key, number)
        kept = {name: reduce.values(metrics)[name] for name in ("kl/reference", "entropy")}
        return state, kept

    state = TrainState.create(params, optimizer)
    state, seen = jax.lax.scan(step, state, jnp.arange(setting.steps))
    last = {name: found[-max(setting.steps // 10, 1) :].mean() for name, found in seen.items()}
    return Run(evaluate(setting, policy, state.trained), last["kl/reference"], last["entropy"])


def evaluate(setting: Setting, policy: Policy, params: Any) -> Judgement:
    """Exact figures of a model on the held-out problems; pure."""
    prompts = setting.puzzle.draw(jax.random.key(_HELD_OUT), setting.problems, True).prompts
    return judge(policy, params, setting.puzzle, prompts)


def _outcome(setting: Setting, prompts: jax.Array, rollout: Any) -> dict[str, jax.Array]:
    repeated = jnp.repeat(prompts, setting.group_size, axis=0)
    modes = which(setting.puzzle.solutions(repeated), rollout.tokens, rollout.mask)
    right = (modes >= 0).astype(jnp.float32)
    return {"rewards": right, "right": right, "modes": modes}


def _likelihood(terms: Terms, *, step: Any, key: Any) -> tuple[reduce.Mean, reduce.Metrics]:
    return reduce.bnpo(-terms.logps, terms.mask), {}
