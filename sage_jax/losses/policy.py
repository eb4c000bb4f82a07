"""Policy-gradient losses per token: the clipped surrogate at token or sequence level."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from . import reduce
from ._arrays import Array, as_real, as_valid, keep, row_mean
from .compose import TokenLoss
from .reduce import Metrics
from .terms import Terms, entropy_threshold, require

Level = Literal["token", "sequence"]


def log_ratios(logps: Array, old_logps: Array, mask: Array, *, level: Level = "token") -> Array:
    """Log importance ratios of the policy against the one that sampled, 0 where the mask is.

    token: logps − old_logps, [B, T]. sequence: its mean over the valid tokens of each row, [B, 1]
    (GSPO, arXiv 2507.18071, eq. 7). Raises ValueError for another level.
    """
    valid = as_valid(mask)
    logps = keep(valid, as_real(logps))
    ratios = logps - jax.lax.stop_gradient(keep(valid, old_logps.astype(logps.dtype)))
    if level == "token":
        return ratios
    if level == "sequence":
        return row_mean(ratios, valid)
    raise ValueError(f"level is {level!r}; it must be token or sequence")


def surrogate(
    ratios: Array,
    advantages: Array,
    *,
    eps_low: float = 0.2,
    eps_high: float = 0.2,
    delta: float | None = None,
) -> Array:
    """Clipped surrogate loss −min(min(r, delta) A, clip(r, 1 − eps_low, 1 + eps_high) A).

    `ratios` [B, T] or [B, 1] (not their logarithms) and `advantages`, broadcast against each
    other. `delta` bounds the ratio of tokens with a negative advantage (two-sided clipping, arXiv
    2505.07291, section 3.4); None: no bound.
    Source: PPO, arXiv 1707.06347, eq. 7; separate ranges: DAPO, arXiv 2503.14476, eq. 8.

    >>> float(surrogate(jnp.float32(1.5), jnp.float32(1.0)))
    -1.2000000476837158
    """
    clipped = jnp.clip(ratios, 1.0 - eps_low, 1.0 + eps_high)
    bounded = ratios if delta is None else jnp.minimum(ratios, delta)
    return -jnp.minimum(bounded * advantages, clipped * advantages)


def clipped_surrogate(
    *,
    eps_low: float = 0.2,
    eps_high: float = 0.2,
    delta: float | None = None,
    level: Level = "token",
    top_entropy_quantile: float = 1.0,
) -> TokenLoss:
    """The clipped surrogate as a token loss, of `logps`, `old_logps` and `advantages`.

    `top_entropy_quantile` below 1 keeps it on the tokens whose entropy reaches
    `terms.entropy_threshold`, or the batch's own quantile where that is None (arXiv 2506.01939).
    Metrics, means over valid tokens (sequences at sequence level): `clip/low`, `clip/high`,
    `clip/region`, shares that the clip holds back; `ratio/max`.
    Raises ValueError for a range, bound, level or quantile that makes no sense.
    """
    _check(eps_low, eps_high, delta, level, top_entropy_quantile)

    def token_loss(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        del step, key
        advantages = require(terms, "advantages", "the clipped surrogate")
        advantages = advantages[:, None] if advantages.ndim == 1 else advantages
        ratios = jnp.exp(log_ratios(terms.logps, terms.sampling_logps, terms.mask, level=level))
        losses = surrogate(ratios, advantages, eps_low=eps_low, eps_high=eps_high, delta=delta)
        losses = jnp.broadcast_to(losses, terms.logps.shape)
        if top_entropy_quantile < 1:
            losses = keep(_top_entropy(terms, top_entropy_quantile), losses)
        return losses, _clip_metrics(ratios, advantages, terms.valid, eps_low, eps_high)

    return TokenLoss(token_loss)


def entropy_bonus() -> TokenLoss:
    """Minus the policy's entropy, per token; `coef * entropy_bonus()` rewards exploration.

    Its gradient flows through `terms.entropies`.
    """

    def token_loss(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        del step, key
        return -require(terms, "entropies", "the entropy bonus"), {}

    return TokenLoss(token_loss)


def top_entropy_mask(entropies: Array, mask: Array, threshold: Array) -> Array:
    """Valid tokens whose entropy is at least `threshold`, a scalar or [B]; booleans [B, T]."""
    threshold = threshold[:, None] if threshold.ndim == 1 else threshold
    return as_valid(mask) & (entropies >= threshold)


def _top_entropy(terms: Terms, top_entropy_quantile: float) -> Array:
    entropies = require(terms, "entropies", "top-entropy masking")
    threshold = terms.entropy_threshold
    if threshold is None:
        threshold = entropy_threshold(
            entropies, terms.mask, top_entropy_quantile=top_entropy_quantile
        )
    return top_entropy_mask(entropies, terms.mask, threshold)


def _clip_metrics(
    ratios: Array, advantages: Array, valid: Array, eps_low: float, eps_high: float
) -> Metrics:
    shape = jnp.broadcast_shapes(ratios.shape, advantages.shape)
    if shape[1] == 1:
        valid = valid.any(axis=-1, keepdims=True)
    low = (ratios < 1.0 - eps_low) & (advantages < 0)
    high = (ratios > 1.0 + eps_high) & (advantages > 0)
    ratios = jnp.broadcast_to(ratios, shape)
    return {
        "clip/low": reduce.mean(low, valid),
        "clip/high": reduce.mean(high, valid),
        "clip/region": reduce.mean(low | high, valid),
        "ratio/max": reduce.maximum(ratios, valid),
    }


def _check(
    eps_low: float, eps_high: float, delta: float | None, level: str, quantile: float
) -> None:
    if not 0 <= eps_low <= 1:
        raise ValueError(f"eps_low is {eps_low}; it must be between 0 and 1")
    if not eps_high >= 0:
        raise ValueError(f"eps_high is {eps_high}; it must be 0 or more")
    if delta is not None and not delta > 1:
        raise ValueError(f"delta is {delta}; it must be above 1, best above 1 + eps_high")
    if level not in ("token", "sequence"):
        raise ValueError(f"level is {level!r}; it must be token or sequence")
    if not 0 < quantile <= 1:
        raise ValueError(f"top_entropy_quantile is {quantile}; it must be in (0, 1]")
