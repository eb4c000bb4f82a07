"""Policy-gradient losses as token losses: the clipped surrogate, and what goes with any surrogate.

The formulas are in `surrogates`; `by_name.surrogate` makes a token loss of any function of theirs.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from . import by_name, surrogates
from ._arrays import Array, as_real, as_valid, keep
from .compose import TokenLoss
from .importance import Level
from .reduce import Metrics
from .terms import Terms, entropy_threshold, require


def clipped_surrogate(
    *,
    eps_low: float = 0.2,
    eps_high: float = 0.2,
    delta: float | None = None,
    level: Level = "token",
    top_entropy_quantile: float = 1.0,
) -> TokenLoss:
    """The clipped surrogate as a token loss, of `logps`, `old_logps` and `advantages`.

    See `surrogates.clipped`, `importance.log_ratios` for `level`, and `top_entropy`. Metrics, means
    over valid tokens (sequences at sequence level): `clip/low`, `clip/high`, `clip/region`, shares
    that the clip holds back; `ratio/max`.
    Raises ValueError for a range, bound, level or quantile that makes no sense.
    """
    clip = {"eps_low": eps_low, "eps_high": eps_high, "delta": delta}
    surrogates.clipped(jnp.ones((1, 1)), jnp.ones((1, 1)), **clip)  # Refuses what makes no sense.
    token_loss = by_name.surrogate(surrogates.clipped, level=level, **clip)
    return top_entropy(token_loss, top_entropy_quantile)


def top_entropy(token_loss: TokenLoss, top_entropy_quantile: float) -> TokenLoss:
    """`token_loss` on the most uncertain tokens alone, 0 at all others (arXiv 2506.01939).

    Kept is the share `top_entropy_quantile` of all tokens: those whose entropy reaches
    `terms.entropy_threshold`, or the batch's own quantile where that is None. 1 keeps all of them.
    Raises ValueError for a share outside (0, 1].
    """
    if not 0 < top_entropy_quantile <= 1:
        raise ValueError(f"top_entropy_quantile is {top_entropy_quantile}; it must be in (0, 1]")
    if top_entropy_quantile == 1:
        return token_loss

    def function(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        losses, metrics = token_loss.function(terms, step, key)
        return keep(_top_entropy(terms, top_entropy_quantile), losses), metrics

    needs = token_loss.needs | {"entropies", "entropy_threshold"}
    return replace(token_loss, function=function, needs=needs)


def entropy_advantage(
    token_loss: TokenLoss, *, alpha: float = 0.4, kappa: float = 2.0
) -> TokenLoss:
    """`token_loss` with advantages that are larger where the policy is uncertain.

    See `shaped_by_entropy`, of `terms.entropies`; any other loss that is added sees the advantages
    as they are. alpha 0 changes nothing.
    Raises ValueError for an alpha below 0 or a kappa of 1 or less.
    """
    if not alpha >= 0:
        raise ValueError(f"alpha is {alpha}; it must be 0 or more")
    if not kappa > 1:
        raise ValueError(f"kappa is {kappa}; it must be above 1, or wrong answers would be praised")
    if alpha == 0:
        return token_loss

    def function(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        entropies = require(terms, "entropies", "the advantage shaped by entropy")
        given = require(terms, "advantages", "the advantage shaped by entropy")
        given = given if given.ndim == 2 else given[:, None]
        shaped = shaped_by_entropy(given, entropies, alpha=alpha, kappa=kappa)
        return token_loss.function(replace(terms, advantages=shaped), step, key)

    return replace(token_loss, function=function, needs=token_loss.needs | {"entropies"})


def shaped_by_entropy(
    advantages: Array, entropies: Array, *, alpha: float = 0.4, kappa: float = 2.0
) -> Array:
    """A + min(alpha · H, |A| / kappa) at every token, [B, T], constant under the gradient.

    The bound keeps the sign of A for kappa above 1, and adds nothing where A is 0. `advantages`
    [B, 1] or [B, T], `entropies` [B, T] in nats. Source: arXiv 2506.14758.

    >>> print(shaped_by_entropy(jnp.array([[-1.0]]), jnp.array([[0.5, 9.0]])))
    [[-0.8 -0.5]]
    """
    advantages = as_real(advantages)
    bonus = jnp.minimum(alpha * as_real(entropies), jnp.abs(advantages) / kappa)
    return jax.lax.stop_gradient(advantages + bonus.astype(advantages.dtype))


def entropy_bonus() -> TokenLoss:
    """Minus the policy's entropy, per token; `coef * entropy_bonus()` rewards exploration.

    Its gradient flows through `terms.entropies`.

    >>> terms = Terms(jnp.zeros((1, 2)), jnp.ones((1, 2)), entropies=jnp.array([[0.5, 2.0]]))
    >>> losses, _ = entropy_bonus()(terms, step=0, key=None)
    >>> print(losses)
    [[-0.5 -2. ]]
    """

    def token_loss(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        del step, key
        return -require(terms, "entropies", "the entropy bonus"), {}

    return TokenLoss(token_loss, needs=frozenset(("entropies",)))


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
