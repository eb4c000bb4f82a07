"""The guide `support`: the anchor is the reference on its own most probable tokens."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._arrays import Array, as_real, as_valid, keep, like
from ..compose import Guide
from ..schedules import Scheduled, at
from ..terms import Terms, log_softmax, require


def in_support(ref_logits: Array, *, top_k: int) -> Array:
    """Whether a token is among the reference's `top_k` most probable ones; booleans [..., V].

    Tokens as probable as the last of them belong to it too.

    >>> in_support(jnp.array([1.0, 3.0, 2.0]), top_k=2).tolist()
    [False, True, True]
    """
    ref_logits = as_real(ref_logits)
    return ref_logits >= jax.lax.top_k(ref_logits, top_k)[0][..., -1:]


def support(ref_logits: Array, mask: Array, *, top_k: int = 8, floor: float | Array = 0.1) -> Array:
    """Log of q = 1 / Z in the reference's support and floor / Z outside of it; [B, T, V].

    Z = S + floor · (1 − S) with S the reference's probability of its support (`in_support`), so
    that q · π_ref sums to 1. Inside, the anchor keeps the reference's proportions; towards tokens
    that the reference itself finds unlikely its pull is `floor` times as strong.
    `ref_logits` [B, T, V], temperature-scaled, `mask` [B, T], `floor` in (0, 1].

    >>> log_q = support(jnp.log(jnp.array([[[0.5, 0.3, 0.2]]])), jnp.ones((1, 1)), top_k=2)
    >>> print([f"{q:.2f}" for q in jnp.exp(log_q)[0, 0].tolist()])
    ['1.22', '1.22', '0.12']
    """
    log_probs = log_softmax(ref_logits)
    floor = like(floor, log_probs)
    inside = in_support(log_probs, top_k=top_k)
    mass = jnp.sum(keep(inside, jnp.exp(log_probs)), axis=-1, keepdims=True)
    log_q = jnp.where(inside, 0.0, jnp.log(floor)) - jnp.log(mass + floor * (1.0 - mass))
    return jax.lax.stop_gradient(keep(as_valid(mask)[..., None], log_q))


def support_guide(*, top_k: int = 8, floor: Scheduled = 0.1) -> Guide:
    """Guide q = 1 on the reference's `top_k` most probable tokens, `floor` elsewhere, over Z.

    See `support`; it reads `ref_logits`, [B, T, V]. An anchor of this form is ours. What it takes
    from APO (arXiv 2602.05717) is the set: the top 8 of the reference covered 97.5% of the tokens
    that came next there. APO has no such anchor: where the advantage is negative it takes a
    multiple of the policy's share of that set off the importance ratio.
    Raises ValueError unless top_k >= 1 and 0 < floor <= 1, and when it runs for a vocabulary that
    is smaller than `top_k`.

    >>> logits = jnp.log(jnp.array([[[0.5, 0.3, 0.2]]]))
    >>> terms = Terms(jnp.zeros((1, 1)), jnp.ones((1, 1)), ref_logits=logits)
    >>> log_q = support_guide(top_k=2)(terms, step=0, key=None)
    >>> print([f"{q:.2f}" for q in jnp.exp(log_q)[0, 0].tolist()])  # Z is 0.82.
    ['1.22', '1.22', '0.12']
    """
    if top_k < 1:
        raise ValueError(f"top_k is {top_k}; it must be 1 or more")
    if isinstance(floor, int | float) and not 0 < floor <= 1:
        raise ValueError(f"floor is {floor}; 0 < floor <= 1 must hold")

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        del key
        ref_logits = require(terms, "ref_logits", "the guide support")
        if top_k > ref_logits.shape[-1]:
            raise ValueError(f"top_k is {top_k}; the vocabulary has {ref_logits.shape[-1]} tokens")
        return support(ref_logits, terms.mask, top_k=top_k, floor=at(floor, step))

    return Guide(log_q, "support", "vocabulary", frozenset(("ref_logits",)))
