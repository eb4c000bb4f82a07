"""From the config to the loss and the advantages: which blocks of `losses` are put together."""

from collections.abc import Callable
from typing import Any

import jax

from sage_jax import config as configs
from sage_jax import parts
from sage_jax.losses import Objective, Terms, compose, importance, policy, recipes
from sage_jax.parts import making


def make_guide(config: configs.Config) -> compose.Guide | None:
    """The guide that the config asks for, or None.

    Raises:
        ConfigError: if there is none of that name or form, or its arguments do not fit.
    """
    part = parts.resolve(config.guide, parts.GUIDES, field="guide")
    # What goes into the reward is known before there are logits.
    like = _shapes(config, vocabulary=config.loss.kl_in != "reward")
    return making.guide(part, like, max_steps=config.scheduled_steps)


def check(config: configs.Config) -> None:
    """Find all that a config names, before any work starts.

    Raises:
        ConfigError: of the first part that is not there or does not fit.
    """
    make_loss(config)
    make_advantages(config)
    for field, spec, room in config.parts:
        parts.resolve(spec, room, field=field)


def make_loss(config: configs.Config) -> Objective:
    """The objective: surrogate, KL to the shaped anchor, reduction.

    Raises:
        ConfigError: of the first of them that is not there or does not fit.
    """
    guide = make_guide(config)
    blocks: dict[str, Any] = {
        "surrogate": _with_entropy_bonus(config, _surrogate(config)),
        "divergence": _divergence(config),
        "reduction": _reduction(config),
        "gates": _gates(config),
    }
    options = config.loss
    try:
        return recipes.sage(guide, kl_coef=options.kl_coef, kl_in=options.kl_in, **blocks)
    except ValueError as error:
        raise configs.ConfigError(f"loss: {error}") from None


def _surrogate(config: configs.Config) -> compose.TokenLoss:
    options = config.loss
    part = parts.resolve(options.surrogate, parts.SURROGATES, field="loss.surrogate")
    surrogate = making.surrogate(part, _shapes(config), level=options.level)
    shaping = options.entropy_advantage
    surrogate = policy.entropy_advantage(surrogate, alpha=shaping.alpha, kappa=shaping.kappa)
    surrogate = policy.top_entropy(surrogate, options.top_entropy_quantile)
    if options.sampler_correction == "none":
        return surrogate
    return importance.corrected(
        surrogate, mode=options.sampler_correction, cap=options.sampler_cap, level=options.level
    )


def _with_entropy_bonus(config: configs.Config, surrogate: compose.TokenLoss) -> compose.TokenLoss:
    coef = config.loss.entropy_coef
    return surrogate + coef * policy.entropy_bonus() if coef > 0 else surrogate


def _divergence(config: configs.Config) -> compose.TokenLoss:
    options = config.loss
    part = parts.resolve(options.kl_estimator, parts.ESTIMATORS, field="loss.kl_estimator")
    return making.estimator(
        part, _shapes(config), kl_in=options.kl_in if options.kl_coef > 0 else None
    )


def _gates(config: configs.Config) -> list[compose.Gate]:
    like, options = _shapes(config), config.loss
    named = enumerate(options.kl_gates)
    found = (parts.resolve(one, parts.GATES, field=f"loss.kl_gates.{n}") for n, one in named)
    return [making.gate(part, like, level=options.level, kl_in=options.kl_in) for part in found]


def _reduction(config: configs.Config) -> Callable[..., Any]:
    part = parts.resolve(config.loss.reduction, parts.REDUCTIONS, field="loss.reduction")
    length = config.rollout.max_completion_length
    return making.reduction(part, _shapes(config), max_completion_length=length)


def _shapes(config: configs.Config, *, vocabulary: bool = True) -> Terms:
    length = config.rollout.max_completion_length
    return making.shapes(_rows(config), length, vocabulary=vocabulary)


def _rows(config: configs.Config) -> int:
    """Rows of shapes that are tried: whole groups, of which no axis is as long as another.

    Where two are, what mixes them up has the right shape by accident.
    """
    size, length = config.rollout.group_size, config.rollout.max_completion_length
    return next(n * size for n in (3, 4, 5) if n not in (size, length) and n * size != length)


def make_advantages(config: configs.Config) -> list[Callable[..., jax.Array]]:
    """Rules that turn rewards [B] into advantages [B], one after the other.

    Raises:
        ConfigError: if there is no such rule, or it does not give [B] for [B].
    """
    named = enumerate(config.loss.advantage)
    found = (parts.resolve(one, parts.ADVANTAGES, field=f"loss.advantage.{n}") for n, one in named)
    like = _shapes(config, vocabulary=False)
    return [making.advantage(part, like, group_size=config.rollout.group_size) for part in found]
