"""Importance ratios: of the policy against the one that sampled, and of that against its sampler.

An inference engine in other precision, or with stale weights, samples from μ and not from π_old.
Weights π_old / μ put that right in expectation; bounding or dropping large ones keeps the variance
in hand. Source: F. Yao et al., "Your efficient RL framework secretly brings you off-policy RL
training" (2025), truncated weights; masked weights: IcePop, Ling team (2025).
"""

from dataclasses import replace
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from . import reduce
from ._arrays import Array, as_real, as_valid, keep, masked_sum, row_mean
from ._metrics import union
from .compose import TokenLoss
from .reduce import Metrics
from .terms import Terms, require

Level = Literal["token", "sequence"]
Mode = Literal["truncate", "mask"]


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


def weights(
    old_logps: Array, sampler_logps: Array, mask: Array, *, level: Level = "token"
) -> Array:
    """π_old / μ at every token, [B, T]: of the token, or of its whole sequence (a product).

    1 where the mask is 0; constant under the gradient. Raises ValueError for another level.
    """
    valid = as_valid(mask)
    old_logps = as_real(old_logps)
    gap = keep(valid, old_logps - sampler_logps.astype(old_logps.dtype))
    if level == "sequence":
        gap = jnp.broadcast_to(masked_sum(gap, valid, axis=-1)[:, None], gap.shape)
    elif level != "token":
        raise ValueError(f"level is {level!r}; it must be token or sequence")
    return jax.lax.stop_gradient(jnp.where(valid, jnp.exp(gap), 1.0))


def truncated(ratios: Array, *, cap: float = 2.0) -> Array:
    """min(ratios, cap): large weights are bounded.

    >>> print(truncated(jnp.array([0.5, 3.0]), cap=2.0))
    [0.5 2. ]
    """
    return jnp.minimum(ratios, cap)


def masked(ratios: Array, *, low: float = 0.0, cap: float = 2.0) -> Array:
    """Ratios inside [low, cap], and 0 outside: tokens with other weights are dropped.

    >>> print(masked(jnp.array([0.1, 0.5, 3.0]), low=0.2, cap=2.0))
    [0.  0.5 0. ]
    """
    return jnp.where((ratios >= low) & (ratios <= cap), ratios, jnp.zeros((), ratios.dtype))


def corrected(
    token_loss: TokenLoss,
    *,
    mode: Mode = "truncate",
    low: float = 0.0,
    cap: float = 2.0,
    level: Level = "token",
) -> TokenLoss:
    """`token_loss` with every token weighted by the corrected ratio π_old / μ.

    Needs `terms.sampler_logps`. `low` is for mode "mask". Metrics besides its own:
    `sampler/weight`, mean weight, and `sampler/outside`, share of tokens outside the bounds.
    Raises ValueError for another mode or level, or bounds that make no sense.
    """
    if mode not in ("truncate", "mask"):
        raise ValueError(f"mode is {mode!r}; it must be truncate or mask")
    if level not in ("token", "sequence"):
        raise ValueError(f"level is {level!r}; it must be token or sequence")
    if not 0 <= low <= 1 <= cap:
        raise ValueError(f"low is {low} and cap is {cap}; 0 <= low <= 1 <= cap must hold")

    def function(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        losses, metrics = token_loss.function(terms, step, key)
        sampler_logps = require(terms, "sampler_logps", "the correction of the sampler")
        ratios = weights(terms.sampling_logps, sampler_logps, terms.mask, level=level)
        bounded = (
            truncated(ratios, cap=cap) if mode == "truncate" else masked(ratios, low=low, cap=cap)
        )
        ours: Metrics = {
            "sampler/weight": reduce.mean(bounded, terms.valid),
            "sampler/outside": reduce.mean(bounded != ratios, terms.valid),
        }
        return losses * bounded, union(metrics, ours)

    needs = token_loss.needs | {"old_logps", "sampler_logps"}
    return replace(token_loss, function=function, needs=needs)
