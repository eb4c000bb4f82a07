"""From the config to the loss and the advantages: which blocks of `losses` are put together."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from sage_jax import config as configs
from sage_jax import parts
from sage_jax.losses import (
    Terms,
    by_name,
    compose,
    importance,
    kl,
    policy,
    recipes,
    reduce,
)
from sage_jax.telling import brief


def make_guide(config: configs.Config) -> compose.Guide | None:
    """The guide that the config asks for, or None.

    A function of arrays becomes a guide by `by_name.guide`; any other is called and makes one.

    Raises:
        ConfigError: if there is none of that name or form, or its arguments do not fit.
    """
    part = parts.resolve(config.guide, parts.GUIDES, field="guide")
    if by_name.reads(part.function):
        return by_name.guide(part.bound(max_steps=config.scheduled_steps))
    made = part.call(max_steps=config.scheduled_steps)
    if made is None or isinstance(made, compose.Guide):
        return made
    raise configs.ConfigError(
        f"guide: {config.guide.use} gives {brief(made)} and not a guide: let it ask for arrays by "
        f"name ({', '.join(by_name.READABLE)}) and give log q, or make a losses.Guide"
    )


def check(config: configs.Config) -> None:
    """Find all that a config names, before any work starts.

    Raises:
        ConfigError: of the first part that is not there or does not fit.
    """
    make_loss(config)
    _advantage(config)
    for field, spec, room in config.parts:
        parts.resolve(spec, room, field=field)


def make_loss(config: configs.Config) -> compose.Loss:
    """The objective: clipped surrogate, KL to the shaped anchor, reduction."""
    knobs = config.loss
    length = config.rollout.max_completion_length
    return recipes.sage(
        make_guide(config),
        kl_coef=knobs.kl_coef,
        surrogate=_surrogate(knobs),
        divergence=_divergence(knobs),
        reduction=reduce.by_name(knobs.reduction, max_completion_length=length),
        kl_in_reward=knobs.kl_in_reward,
    )


def _surrogate(knobs: configs.Loss) -> compose.TokenLoss:
    surrogate = policy.clipped_surrogate(
        eps_low=knobs.eps_low,
        eps_high=knobs.eps_high,
        delta=knobs.delta,
        level=knobs.level,
        top_entropy_quantile=knobs.top_entropy_quantile,
    )
    if knobs.sampler_correction == "none":
        return surrogate
    return importance.corrected(
        surrogate, mode=knobs.sampler_correction, cap=knobs.sampler_cap, level=knobs.level
    )


def _divergence(knobs: configs.Loss) -> compose.TokenLoss:
    match knobs.kl_estimator:
        case "forward" | "forward_exact":
            return kl.forward_kl(
                full_vocabulary=knobs.kl_estimator == "forward_exact",
                renormalize=knobs.kl_renormalize,
            )
        case estimator:
            return kl.reverse_kl(estimator=estimator, renormalize=knobs.kl_renormalize)


def make_advantages(config: configs.Config) -> Callable[..., jax.Array]:
    """(rewards [B], terms, *, step, key) -> advantages [B].

    Raises:
        ConfigError: if there is no such rule, or it does not give [B] for [B].
    """
    scored = _advantage(config)
    if not config.loss.kl_in_reward:
        return lambda rewards, terms, *, step, key: scored(rewards)
    guide, kl_coef = make_guide(config), config.loss.kl_coef

    def anchored(rewards: jax.Array, terms: Terms, *, step: Any, key: Any) -> jax.Array:
        return scored(recipes.anchored_rewards(
            rewards, terms, kl_coef=kl_coef, step=step, key=key, guide=guide
        ))  # fmt: skip

    return anchored


def _advantage(config: configs.Config) -> Callable[[jax.Array], jax.Array]:
    part = parts.resolve(config.loss.advantage, parts.ADVANTAGES, field="loss.advantage")
    scored = part.bound(group_size=config.rollout.group_size)
    rows = config.rollout.num_prompts * config.rollout.group_size
    with part.explained():
        found = jax.eval_shape(scored, jax.ShapeDtypeStruct((rows,), jnp.float32))
    if getattr(found, "shape", None) != (rows,):
        raise configs.ConfigError(
            f"loss.advantage: {part.spec.use} gives {brief(found)} for rewards of shape ({rows},); "
            "advantages have the shape of rewards"
        )
    return scored


def needs_policy_scores(config: configs.Config) -> bool:
    """Whether the policy is scored before its update.

    With one update a rollout the policy that sampled is the one being differentiated, so nothing
    is gained; several updates, batch-wide entropies, a correction of the sampler and a KL in the
    reward all need the figures from before.
    """
    several = config.optimizer.num_minibatches * config.optimizer.epochs > 1
    knobs = config.loss
    return (
        several
        or knobs.top_entropy_quantile < 1
        or knobs.sampler_correction != "none"
        or knobs.kl_in_reward
    )
