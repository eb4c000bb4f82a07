"""The guide `rival`: right answers are anchored alike, however rare the reference finds them."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._arrays import Array, as_real, as_valid, count, keep, masked_sum
from ..compose import Guide
from ..terms import Terms, require


def rival(
    ref_logps: Array,
    right: Array,
    best_ref_logps: Array,
    mask: Array,
    *,
    q_min: float | None = None,
    q_max: float | None = None,
) -> Array:
    """Log of q with Π_t q_t = π_ref(z) / π_ref(y) on right answers y, 1 on others.

    z is the answer that the reference finds likeliest of the group's best ones, whose log π_ref
    is `best_ref_logps`. The whole log-ratio is spread evenly over the row's n valid tokens,
    log q_t = (log π_ref(z) − log π_ref(y)) / n, so that its sum over the row is exact. q_t is held
    in [q_min, q_max], without bounds by default, and then the sum is what the bounds leave of it.
    `ref_logps`, `mask` and the result [B, T]; `right` and `best_ref_logps` [B, 1].

    >>> ref_logps = jnp.log(jnp.array([[0.1, 0.5], [0.2, 0.5]]))
    >>> ones, best = jnp.ones((2, 1)), jnp.full((2, 1), jnp.log(0.2))
    >>> log_q = rival(ref_logps, ones, best, jnp.ones((2, 2)))
    >>> print([f"{q:.1f}" for q in jnp.exp(log_q.sum(axis=1)).tolist()])
    ['4.0', '2.0']
    """
    _check(q_min, q_max)
    ref_logps, valid = as_real(ref_logps), as_valid(mask)
    own = masked_sum(ref_logps, valid, axis=-1)[:, None]
    number = jnp.maximum(count(valid, ref_logps.dtype, axis=-1), 1.0)[:, None]
    share = jnp.where(right > 0, (as_real(best_ref_logps) - own) / number, 0.0)
    bounds = (None if q is None else jnp.log(q).astype(share.dtype) for q in (q_min, q_max))
    log_q = jnp.broadcast_to(jnp.clip(share, *bounds), valid.shape)
    return jax.lax.stop_gradient(keep(valid, log_q))


def rival_guide(*, q_min: float | None = None, q_max: float | None = None) -> Guide:
    """Guide q = π_ref(z) / π_ref(y) on right answers, z the likeliest of the group's best ones.

    See `rival`. With the KL in the reward r − β Σ_t k1 becomes r + β (log π_ref(z) − log π(y)) on
    right answers, which is MARA's reward, where all right answers have one reward: the optimum
    has the same probability for each of them, while without it they keep the reference's
    proportions. A reward that differs between right answers stays as it is; MARA gives all of
    them that of z. The ratio is of whole answers, and grows with their length: bound q where some
    are much longer than others.
    Source: MARA, arXiv 2510.20817. Raises ValueError unless 0 < q_min <= 1 <= q_max.

    >>> ref_logps, best = jnp.log(jnp.array([[0.2], [0.1]])), jnp.log(jnp.array([0.2, 0.2]))
    >>> terms = Terms(ref_logps, jnp.ones((2, 1)), ref_logps=ref_logps, right=jnp.ones(2),
    ...     best_ref_logps=best)
    >>> log_q = rival_guide()(terms, step=0, key=None)
    >>> print([f"{q:.1f}" for q in jnp.exp(log_q)[:, 0].tolist()])
    ['1.0', '2.0']
    """
    _check(q_min, q_max)

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        del step, key
        ref_logps = require(terms, "ref_logps", _LABEL)
        right, best = (require(terms, n, _LABEL)[:, None] for n in ("right", "best_ref_logps"))
        return rival(ref_logps, right, best, terms.mask, q_min=q_min, q_max=q_max)

    return Guide(log_q, "rival", "token", frozenset(("ref_logps", "right", "best_ref_logps")))


_LABEL = "the guide rival"


def _check(q_min: float | None, q_max: float | None) -> None:
    low, high = 1.0 if q_min is None else q_min, 1.0 if q_max is None else q_max
    if not 0 < low <= 1 <= high:
        raise ValueError(
            f"q_min is {q_min} and q_max is {q_max}; 0 < q_min <= 1 <= q_max must hold"
        )
