"""Surrogates: policy-gradient losses per token, plain functions of arrays.

Each gives a loss [B, T] to be minimised, or (loss, shares) with further metrics by name, and asks
for its arrays by the names of its parameters: `ratios` = π_θ / π_old (of a token [B, T], or of a
whole sequence [B, 1]), `advantages` [B, 1] or [B, T], and all other names of `by_name.READABLE`.
`by_name.surrogate` makes a loss of one. Every public function here is one that a config may name.
"""

from typing import Literal

import jax
import jax.numpy as jnp

from . import choices
from ._arrays import Array, as_valid, keep, masked_sum
from .choices import chosen_by

_THRESHOLDS = {"tv": 0.2, "kl": 0.05}
_ROUNDING = 1e-4


def clipped(
    ratios: Array,
    advantages: Array,
    *,
    eps_low: float = 0.2,
    eps_high: float = 0.2,
    delta: float | None = None,
) -> tuple[Array, dict[str, Array]]:
    """Clipped surrogate −min(min(r, delta) A, clip(r, 1 − eps_low, 1 + eps_high) A).

    `delta` bounds the ratio of tokens with a negative advantage (two-sided clipping, arXiv
    2505.07291, section 3.4); None: no bound. From 1 + eps_high on it is the c of dual-clip PPO
    (arXiv 1912.09729), max(min(r A, clip(r) A), c A) where A < 0. The shares that the clip holds
    back are `clip/low`, `clip/high` and, together, `clip/region`.
    Source: PPO, arXiv 1707.06347, eq. 7; separate ranges: DAPO, arXiv 2503.14476, eq. 8.
    Raises ValueError for a range or bound that makes no sense.

    >>> loss, _ = clipped(jnp.full((1, 1), 1.5), jnp.ones((1, 1)))
    >>> print(loss)
    [[-1.2]]
    """
    _check(eps_low, eps_high, delta)
    within = jnp.clip(ratios, 1.0 - eps_low, 1.0 + eps_high)
    bounded = ratios if delta is None else jnp.minimum(ratios, delta)
    low = (ratios < 1.0 - eps_low) & (advantages < 0)
    high = (ratios > 1.0 + eps_high) & (advantages > 0)
    return -jnp.minimum(bounded * advantages, within * advantages), _held(low, high)


def cispo(
    ratios: Array,
    advantages: Array,
    logps: Array,
    *,
    eps_low: float = 1.0,
    eps_high: float = 4.0,
) -> tuple[Array, dict[str, Array]]:
    """REINFORCE with a bounded importance weight, −sg(clip(r, 1 − eps_low, 1 + eps_high)) A log π.

    sg holds the weight constant, so that a token outside the range goes on learning, where
    `clipped` drops it; eps_low 1 is no lower bound. Its value is no objective: look at the reward.
    Shares: those that the clip bounds, named as in `clipped`; `surrogate/weight`, the weight.
    Source: CISPO, MiniMax-M1, arXiv 2506.13585. Raises ValueError for a range that makes no sense.

    >>> loss, _ = cispo(jnp.full((1, 1), 9.0), jnp.ones((1, 1)), jnp.full((1, 1), -2.0))
    >>> print(loss)
    [[10.]]
    """
    _check(eps_low, eps_high)
    weights = jax.lax.stop_gradient(jnp.clip(ratios, 1.0 - eps_low, 1.0 + eps_high))
    low, high = ratios < 1.0 - eps_low, ratios > 1.0 + eps_high
    return -weights * advantages * logps, _held(low, high) | {"surrogate/weight": weights}


def sapo(
    ratios: Array, advantages: Array, *, tau_pos: float = 1.0, tau_neg: float = 1.05
) -> tuple[Array, dict[str, Array]]:
    """A soft gate instead of a clip: −(4/τ) sigmoid(τ (r − 1)) A, τ = tau_pos where A > 0.

    Elsewhere τ = tau_neg. Its slope in r, 4 s (1 − s) with s the sigmoid, is 1 at r = 1 and fades
    to both sides, the faster the larger τ. Share: `surrogate/weight`, r times that slope, which
    multiplies A ∇log π. Source: SAPO, arXiv 2511.20347. Raises ValueError unless both are above 0.

    >>> loss, shares = sapo(jnp.ones((1, 1)), jnp.ones((1, 1)))
    >>> print(loss, shares["surrogate/weight"])
    [[-2.]] [[1.]]
    """
    for name, tau in (("tau_pos", tau_pos), ("tau_neg", tau_neg)):
        if not tau > 0:
            raise ValueError(f"{name} is {tau}; it must be above 0")
    tau = jnp.where(advantages > 0, tau_pos, tau_neg).astype(ratios.dtype)
    gate = jax.nn.sigmoid(tau * (ratios - 1.0))
    weights = 4.0 * ratios * gate * (1.0 - gate)
    return -4.0 * gate / tau * advantages, {"surrogate/weight": weights}


def dppo(
    ratios: Array,
    advantages: Array,
    logps: Array,
    old_logps: Array,
    *,
    divergence: Literal["tv", "kl"] = "tv",
    threshold: float | None = None,
) -> tuple[Array, dict[str, Array]]:
    """−M r A: M drops a token whose distribution is far from π_old and would move further away.

    M = 0 where D > threshold and the step leads away: A > 0 with π > π_old, or A < 0 with
    π < π_old. D compares the sampled token with all others together, p = π(y_t), p' = π_old(y_t):
    `tv` is |p − p'|, `kl` is p' log(p'/p) + (1 − p') log((1 − p')/(1 − p)). `threshold` None is 0.2
    for tv and 0.05 for kl. Shares as in `clipped`. Source: DPPO with binary divergences, arXiv
    2602.04879. Raises ValueError for another divergence, or a threshold that is not above 0.

    >>> loss, _ = dppo(*(jnp.array([[x]]) for x in (3.0, 1.0, jnp.log(0.24), jnp.log(0.08))))
    >>> print(loss)  # A ratio of 3, and still no more than 0.2 apart.
    [[-3.]]
    """
    if divergence not in _THRESHOLDS:
        raise ValueError(f"divergence is {divergence!r}; it must be tv or kl")
    threshold = _THRESHOLDS[divergence] if threshold is None else threshold
    if not threshold > 0:
        raise ValueError(f"threshold is {threshold}; it must be above 0")
    now, old = jax.lax.stop_gradient(logps), old_logps
    far = (_tv if divergence == "tv" else _kl)(now, old) > threshold
    low, high = far & (advantages < 0) & (now < old), far & (advantages > 0) & (now > old)
    return -keep(~(low | high), ratios * advantages), _held(low, high)


def vespo(
    logps: Array,
    old_logps: Array,
    advantages: Array,
    mask: Array,
    *,
    k_pos: float = 2.0,
    lambda_pos: float = 3.0,
    k_neg: float = 3.0,
    lambda_neg: float = 2.0,
) -> tuple[Array, dict[str, Array]]:
    """REINFORCE with a soft weight of whole sequences, −sg(φ(w)) A log π, φ(w) = w^k e^(λ (1 − w)).

    w = Π_t π / π_old is the product over the row's valid tokens, whatever its length. φ is 1 at
    w = 1, largest at k/λ and fades to both sides; k and λ are k_pos and lambda_pos where A >= 0.
    Share: `surrogate/weight`, φ. Source: VESPO, arXiv 2602.10693, and its official code, whose
    constants are the defaults. Raises ValueError for a k below 0 or a λ that is not above 0.

    >>> one = jnp.ones((1, 2))
    >>> loss, _ = vespo(-one, -one, jnp.array([[2.0]]), one)
    >>> print(loss)
    [[2. 2.]]
    """
    for name, k in (("k_pos", k_pos), ("k_neg", k_neg)):
        if not k >= 0:
            raise ValueError(f"{name} is {k}; it must be 0 or more")
    for name, decay in (("lambda_pos", lambda_pos), ("lambda_neg", lambda_neg)):
        if not decay > 0:
            raise ValueError(f"{name} is {decay}; it must be above 0")
    good = advantages >= 0
    k = jnp.where(good, k_pos, k_neg).astype(logps.dtype)
    decay = jnp.where(good, lambda_pos, lambda_neg).astype(logps.dtype)
    log_w = masked_sum(logps - old_logps, as_valid(mask), axis=-1)[:, None]
    # As a logarithm: where w is too large for a float, φ is 0 and not inf · 0.
    weights = jax.lax.stop_gradient(jnp.exp(k * log_w - decay * jnp.expm1(log_w)))
    return -weights * advantages * logps, {"surrogate/weight": weights}


@chosen_by(choices.within_covariance)
def clip_cov(
    ratios: Array,
    advantages: Array,
    old_logps: Array,
    mask: Array,
    chosen: Array | None = None,
    key: Array | None = None,
    rows: Array | None = None,
    *,
    share: float = 2e-4,
    low: float = 1.0,
    high: float = 5.0,
    eps_low: float = 0.2,
    eps_high: float = 0.2,
) -> tuple[Array, dict[str, Array]]:
    """`clipped`, and 0 at some tokens drawn among those that lower the entropy most.

    They are `share` of all, with a covariance of log π and A in (low, high), see `choices`.
    Share beside those of `clipped`: `cov/chosen`. Source: Clip-Cov, arXiv 2505.22617, whose code
    draws among the tokens of a micro-batch; here it is of the whole batch, once, before updates.
    Raises ValueError as `clipped` and `choices.within_covariance`.

    >>> one, sampled = jnp.ones((1, 3)), jnp.array([[-1.0, -3.0, -2.0]])
    >>> advantages, key = jnp.array([[2.0, 0.0, 1.0]]), jax.random.key(0)
    >>> loss, shares = clip_cov(one, advantages, sampled, one, key=key, share=0.5, low=0.5)
    >>> print(loss, shares["cov/chosen"])  # Covariances of 1, 1 and 0.
    [[ 0.  0. -1.]] [[ True  True False]]
    """
    if chosen is None:
        options = {"share": share, "low": low, "high": high}
        chosen = choices.within_covariance(old_logps, advantages, mask, key, rows, **options)
    losses, shares = clipped(ratios, advantages, eps_low=eps_low, eps_high=eps_high)
    return keep(~chosen, losses), shares | {"cov/chosen": chosen}


@chosen_by(choices.largest_covariance)
def kl_cov(
    ratios: Array,
    advantages: Array,
    logps: Array,
    old_logps: Array,
    mask: Array,
    chosen: Array | None = None,
    *,
    share: float = 2e-4,
    coef: float = 1.0,
) -> tuple[Array, dict[str, Array]]:
    """−r A + coef · |log π − log π_old| at the tokens that lower the entropy most, −r A elsewhere.

    They are the `share` of tokens with the largest covariance of log π and A, see `choices`. The
    penalty holds them where they were, from the second update on a rollout; a distance below 1e-4
    counts as none, since at none at all the sign of a rounding error would decide the gradient.
    Share: `cov/chosen`. Source: KL-Cov, arXiv 2505.22617, and its official code, whose penalty this
    is. Raises ValueError for a coef below 0, and as `choices.largest_covariance`.

    >>> one, sampled = jnp.ones((1, 2)), jnp.array([[-1.0, -2.0]])
    >>> advantages = jnp.array([[1.0, 0.5]])
    >>> loss, _ = kl_cov(one, advantages, sampled, sampled - 0.5, one, share=0.5)
    >>> print(loss)
    [[-0.5001 -0.5   ]]
    """
    if not coef >= 0:
        raise ValueError(f"coef is {coef}; it must be 0 or more")
    if chosen is None:
        chosen = choices.largest_covariance(old_logps, advantages, mask, share=share)
    away = jax.nn.relu(jnp.abs(logps - old_logps) - _ROUNDING)
    return -ratios * advantages + keep(chosen, coef * away), {"cov/chosen": chosen}


def _held(low: Array, high: Array) -> dict[str, Array]:
    return {"clip/low": low, "clip/high": high, "clip/region": low | high}


def _tv(logps: Array, old_logps: Array) -> Array:
    return jnp.abs(jnp.exp(logps) - jnp.exp(old_logps))


def _kl(logps: Array, old_logps: Array) -> Array:
    # A probability that rounds to 1 leaves something for the others all the same.
    tiny = jnp.finfo(logps.dtype).tiny
    others, old_others = (jnp.maximum(-jnp.expm1(x), tiny) for x in (logps, old_logps))
    own = jnp.exp(old_logps) * (old_logps - logps)
    return own + old_others * (jnp.log(old_others) - jnp.log(others))


def _check(eps_low: float, eps_high: float, delta: float | None = None) -> None:
    if not 0 <= eps_low <= 1:
        raise ValueError(f"eps_low is {eps_low}; it must be between 0 and 1")
    if not eps_high >= 0:
        raise ValueError(f"eps_high is {eps_high}; it must be 0 or more")
    if delta is not None and not delta > 1:
        raise ValueError(f"delta is {delta}; it must be above 1, best above 1 + eps_high")
