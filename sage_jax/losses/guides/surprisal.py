"""The guide `token`: the anchor weighs more on tokens that surprised."""

from collections.abc import Callable
from typing import Any, Literal

from jax.typing import ArrayLike

from .._arrays import Array, as_real, as_valid, keep, like
from ..compose import Guide
from ..schedules import Falling, at, falling
from ..terms import Terms, require
from ..weights import minmax, rank, zscore
from .bounds import bounded_log, check_bounds
from .noise import needed, row_normals
from .source import Source, read_from

Normalize = Callable[[Array, Array], Array]
_NORMALIZERS: dict[str, Normalize] = {"minmax": minmax, "rank": rank, "zscore": zscore}


def token(
    logps: Array,
    mask: Array,
    key: Array | None = None,
    rows: Array | None = None,
    *,
    alpha: float | Array = 0.3,
    sigma: float | Array = 0.0,
    normalize: Normalize = minmax,
    q_min: float = 0.6,
    q_max: float = 1.4,
) -> Array:
    """Log of q = 1 + α w + σ w ε: the anchor weighs more on tokens that surprised.

    w in [0, 1] is the surprisal −logps normalised inside its row by `normalize` (a function of
    surprisals and mask, such as those in `weights`), ε standard normal noise from `key`, drawn by
    row as in `row_normals`. `logps`, `mask` and the result [B, T].
    Raises ValueError when σ is not 0 and there is no key, or unless 0 < q_min <= 1 <= q_max.

    >>> import jax.numpy as jnp
    >>> log_q = token(jnp.array([[-3.0, -1.0, -2.0]]), jnp.ones((1, 3)), normalize=rank)
    >>> print([f"{q:.2f}" for q in jnp.exp(log_q)[0].tolist()])  # w is 1, 0, 1/2.
    ['1.30', '1.00', '1.15']
    """
    valid, logps = as_valid(mask), as_real(logps)
    weights = normalize(keep(valid, -logps), valid)
    q = 1.0 + like(alpha, weights) * weights
    if not (isinstance(sigma, int | float) and sigma == 0):
        noise = row_normals(needed(key, "token"), rows, valid.shape, logps.dtype)
        q = q + like(sigma, weights) * weights * noise
    return bounded_log(q, valid, q_min=q_min, q_max=q_max)


def token_guide(
    *,
    alpha: Falling = (0.3, 0.1),
    sigma: Falling = (0.25, 0.1),
    normalize: Literal["minmax", "rank", "zscore"] | Normalize = "minmax",
    source: Source = "policy",
    q_min: float = 0.6,
    q_max: float = 1.4,
    max_steps: int | None = None,
    num_cycles: int = 8,
    decay_rate: float = 0.9,
) -> Guide:
    """Q = 1 + α w + σ w ε: the anchor weighs more on tokens that surprised.

    See `token`, which reads `logps` of the terms, or the unshaped `ref_logps` with source "ref". A
    pair (upper, lower) falls in `num_cycles` cosine cycles over `max_steps`
    steps, see `schedules.cosine_cycles`; a number is a constant. Raises ValueError for another
    name of a normaliser, and as `token` and `schedules.falling`.

    >>> import jax.numpy as jnp
    >>> terms = Terms(jnp.array([[-3.0, -1.0, -2.0]]), jnp.ones((1, 3)))
    >>> guide = token_guide(alpha=0.4, sigma=0.0, normalize="rank")
    >>> log_q = guide(terms, step=0, key=None)
    >>> print([f"{q:.2f}" for q in jnp.exp(log_q)[0].tolist()])
    ['1.40', '1.00', '1.20']
    """
    name, weigh = read_from(source, "logps"), _normalizer(normalize)
    check_bounds(q_min, q_max)
    cycles: dict[str, Any] = {
        "max_steps": max_steps,
        "num_cycles": num_cycles,
        "decay_rate": decay_rate,
    }
    slope, noise = falling(alpha, "alpha", **cycles), falling(sigma, "sigma", **cycles)

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        return token(
            require(terms, name, "the guide token"),
            terms.mask,
            key,
            terms.rows,
            alpha=at(slope, step),
            sigma=at(noise, step),
            normalize=weigh,
            q_min=q_min,
            q_max=q_max,
        )

    return Guide(log_q, "token", "token", frozenset((name,)))


def _normalizer(normalize: str | Normalize) -> Normalize:
    if callable(normalize):
        return normalize
    if normalize not in _NORMALIZERS:
        raise ValueError(f"normalize is {normalize!r}; it must be minmax, rank or zscore")
    return _NORMALIZERS[normalize]
