"""Distances between the policy and the (shaped) anchor: sampled and over the full vocabulary.

The anchor is q · π_ref, not renormalised: `anchor_logps = ref_logps + log_q`; only `exact` divides
it by its sum. What these do to the policy differs more than their names suggest; see `reverse_kl`.
The estimators are plain functions of arrays, `by_name.estimator` makes a token loss of any such
function, and `moved_by` declares which guides move it.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import jax
import jax.numpy as jnp

from . import by_name
from ._arrays import Array, as_real, as_valid, like, masked_sum, row_mean
from .compose import TokenLoss
from .declared import moved_by
from .terms import log_softmax

Estimator = Literal["k1", "k2", "k3", "exact"]

# Those that a config may name; the rest is for building losses.
__all__ = ["exact", "forward", "forward_exact", "k1", "k2", "k3"]


@moved_by(in_loss=False, in_reward=True)
def k1(logps: Array, anchor_logps: Array) -> Array:
    """Log π − log anchor: unbiased for the reverse KL; in a loss its gradient has mean zero.

    Source: J. Schulman, "Approximating KL divergence" (2020).

    >>> print(f"{float(k1(jnp.log(0.5), jnp.log(0.25))):.4f}")  # log 2
    0.6931
    """
    return logps - anchor_logps


@moved_by("token", "vocabulary")
def k2(logps: Array, anchor_logps: Array) -> Array:
    """½ (log π − log anchor)²: on-policy its gradient is unbiased for that of the reverse KL.

    >>> print(f"{float(k2(jnp.log(0.5), jnp.log(0.25))):.4f}")  # (log 2)² / 2
    0.2402
    """
    return 0.5 * jnp.square(logps - anchor_logps)


def k3(logps: Array, anchor_logps: Array) -> Array:
    """exp(d) − d − 1 with d = log anchor − log π: never negative, unbiased for the reverse KL.

    In a loss its on-policy expected gradient is −Σ_v anchor · ∇log π, that of the *forward* KL.

    >>> print(f"{float(k3(jnp.log(0.5), jnp.log(0.25))):.4f}")
    0.1931
    """
    away = anchor_logps - logps
    return jnp.expm1(away) - away


def forward(logps: Array, anchor_logps: Array) -> Array:
    """Sampled forward KL: ρ log ρ − ρ + 1 with ρ = anchor / π, with an unbiased gradient.

    The value's expectation under π is Σ_v a (log a − log π) − Σ_v a + 1 for the anchor a, which is
    KL(a ‖ π) when a sums to one. The gradient is that of k3, (1 − ρ) ∇log π, whose expectation is
    the gradient of that value, −Σ_v a ∇log π; differentiating the value itself would not give it.

    >>> print(f"{float(forward(jnp.log(0.5), jnp.log(0.25))):.4f}")  # (1 − log 2) / 2
    0.1534
    """
    away = anchor_logps - logps
    value = jnp.exp(away) * away - jnp.expm1(away)
    estimate = k3(logps, anchor_logps)
    return jax.lax.stop_gradient(value) + (estimate - jax.lax.stop_gradient(estimate))


@moved_by("vocabulary")
def exact(
    logits: Array, ref_logits: Array, vocab_log_q: Array | None = None, *, renormalize: bool = True
) -> Array:
    """Reverse KL over the full vocabulary, Σ_v π (log π − log anchor).

    `logits`, `ref_logits` [..., V], temperature-scaled; `vocab_log_q` [..., V], or [...] or
    [..., 1] for a guide that is the same for every token. `renormalize` divides the anchor by its
    sum Z first, so that it is a distribution and the result a KL, 0 or more; without it log Z is
    missing. In a loss that changes no gradient, since Z knows nothing of the policy; in the
    advantages log Z of the prefix would be a bonus. Token ids whose probability is 0 add 0.
    Result [...].

    >>> policy, reference = jnp.log(jnp.array([0.5, 0.5])), jnp.log(jnp.array([0.8, 0.2]))
    >>> log_q = jnp.log(0.5)  # The same for both: normalised, the reference as it is.
    >>> found = [exact(policy, reference, log_q, renormalize=one) for one in (True, False)]
    >>> print([f"{float(one):.4f}" for one in found])  # log 5/4, and log 2 more
    ['0.2231', '0.9163']
    """
    log_probs = log_softmax(logits)
    anchor = _vocabulary_anchor(ref_logits, vocab_log_q, renormalize)
    held = log_probs > -jnp.inf
    away = jnp.where(held, log_probs - anchor, jnp.zeros((), log_probs.dtype))
    return jnp.sum(jnp.exp(log_probs) * away, axis=-1)


def forward_exact(
    logits: Array, ref_logits: Array, vocab_log_q: Array | None = None, *, renormalize: bool = False
) -> Array:
    """Forward KL over the full vocabulary, Σ_v anchor (log anchor − log π); shapes as in `exact`.

    Its gradient is −Σ_v anchor · ∇log π, the expected gradient of `k3`. So the mass of q · π_ref is
    the strength of the pull, and by default it stays: `renormalize` divides it away, and with it
    every guide that is the same for all tokens. Without it the value may be below 0.

    >>> policy, reference = jnp.log(jnp.array([0.5, 0.5])), jnp.log(jnp.array([0.8, 0.2]))
    >>> print(f"{float(forward_exact(policy, reference)):.4f}")  # 0.8 log 1.6 + 0.2 log 0.4
    0.1927
    """
    log_probs = log_softmax(logits)
    anchor = _vocabulary_anchor(ref_logits, vocab_log_q, renormalize)
    held = anchor > -jnp.inf
    away = jnp.where(held, anchor - log_probs, jnp.zeros((), log_probs.dtype))
    return jnp.sum(jnp.exp(anchor) * away, axis=-1)


def reverse_kl(
    *, estimator: Estimator = "k3", renormalize: bool | None = None, name: str = "kl"
) -> TokenLoss:
    """The KL term of a loss against `terms.anchor_logps`; `kl_coef * reverse_kl()`.

    k3     the official SAGE loss: E∇ = −Σ_v q π_ref ∇log π, a forward-KL-like pull weighted by q
    k2     on-policy E∇ is that of the reverse KL; a q that depends on the prefix alone drops out
    k1     E∇ = 0: nothing is held. It belongs in the reward (`penalize_rewards`)
    exact  the reverse KL itself, from `terms.logits` and `terms.ref_logits`; a q that is constant
           over the vocabulary, as every guide of shape [B, T] is, drops out of its gradient

    `renormalize` applies to `exact` alone, and None is true there; false keeps the anchor's sum in
    the value. The metric `name` is the mean over valid tokens.
    Raises ValueError for another estimator, or `renormalize` without `exact`.
    """
    if estimator not in _REVERSE:
        raise ValueError(f"estimator is {estimator!r}; it must be k1, k2, k3 or exact")
    if estimator == "exact":
        return by_name.estimator(exact, name=name, renormalize=renormalize is not False)
    if renormalize:
        raise ValueError(f"renormalize is True with {estimator}; only exact sees the vocabulary")
    return by_name.estimator(_REVERSE[estimator], name=name)


def forward_kl(
    *, full_vocabulary: bool = False, renormalize: bool = False, name: str = "kl"
) -> TokenLoss:
    """The forward KL against the anchor as a term of a loss, sampled or over the full vocabulary.

    `full_vocabulary` needs `terms.logits` and `terms.ref_logits`, and alone allows `renormalize`,
    under which a q that is constant over the vocabulary cancels.
    Raises ValueError for `renormalize` without `full_vocabulary`.
    """
    if renormalize and not full_vocabulary:
        raise ValueError("renormalize is True; it needs full_vocabulary=True")
    if full_vocabulary:
        return by_name.estimator(forward_exact, name=name, renormalize=renormalize)
    return by_name.estimator(forward, name=name)


def penalize_rewards(
    rewards: Array, logps: Array, anchor_logps: Array, mask: Array, *, kl_coef: float | Array
) -> Array:
    """Rewards minus the row's sum of kl_coef times k1 against the anchor: the KL in the reward.

    r − Σ_t kl_coef · (log π − log anchor) [B]; `kl_coef` a scalar or [B, T], `rewards` [B], `logps`
    (of the policy that sampled), `anchor_logps` and `mask` [B, T]. Constant under the gradient.
    Policy gradient on it follows the reverse KL to q · π_ref without bias, so log q is an
    exploration bonus of kl_coef · Σ_t log q_t. Compute advantages from the result.
    """
    distance = as_real(logps) - as_real(anchor_logps)
    penalty = masked_sum(like(kl_coef, distance) * distance, as_valid(mask), axis=-1)
    rewards = as_real(rewards)
    return jax.lax.stop_gradient(rewards - like(penalty, rewards))


def tilt_advantages(
    advantages: Array, distances: Array, mask: Array, *, group_size: int, kl_coef: float | Array
) -> Array:
    """The KL as a coefficient: A_i / max|A| − kl_coef · (D_i − mean of D over the group), [B].

    D_i is the mean of `distances` [B, T] over the row's valid tokens and max|A| the largest of the
    group; `advantages` [B], rows of one prompt adjacent. A group whose advantages are all 0 stays
    so: the KL never moves the policy alone. What the distances of all tokens of the group have in
    common drops out: a constant q does with k1, not with k2 or k3, of which it is no summand. Rows
    without valid tokens do not count in the mean. Constant under the gradient.
    Source: ZCPO, arXiv 2610.12161; there A = r − group mean, and the distance is exact.

    >>> print(tilt_advantages(jnp.array([0.5, -0.5]), jnp.array([[0.2], [0.4]]), jnp.ones((2, 1)),
    ...     group_size=2, kl_coef=1.0))
    [ 1.1 -1.1]
    """
    groups = as_real(advantages).reshape(-1, group_size)
    valid = as_valid(mask)
    rows = like(row_mean(as_real(distances), valid).reshape(groups.shape), groups)
    away = rows - row_mean(rows, valid.any(axis=1).reshape(groups.shape))
    largest = jnp.abs(groups).max(axis=1, keepdims=True)
    held = largest > 0
    scaled = groups / jnp.where(held, largest, 1.0) - like(kl_coef, groups) * away
    return jax.lax.stop_gradient(jnp.where(held, scaled, 0.0).reshape(-1))


_REVERSE: Mapping[str, Callable[..., Array]] = {"k1": k1, "k2": k2, "k3": k3, "exact": exact}


def _vocabulary_anchor(ref_logits: Array, log_q: Array | None, renormalize: bool) -> Array:
    anchor = log_softmax(jax.lax.stop_gradient(ref_logits))
    if log_q is None:
        return anchor
    log_q = jax.lax.stop_gradient(log_q)
    anchor = anchor + (log_q if log_q.ndim == anchor.ndim else log_q[..., None])
    return log_softmax(anchor) if renormalize else anchor
