"""Guides: log q at every token, the factor by which the anchor π_ref is reshaped.

Plain functions of arrays come first and are all that a trainer of one's own needs: their result is
added to the reference's log-probabilities. The `*_guide` factories make `Guide`s of them for
`anchors.reshape`, with the official constants as defaults; `by_name.guide` makes one of any
function of that form. Every guide is constant under the gradient, has q in [q_min, q_max] and q = 1
where the mask is 0. Source: SAGE, arXiv 2605.18864.
"""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ._arrays import Array, as_real, as_valid, keep, like
from .compose import Guide
from .schedules import Falling, Scheduled, at, falling
from .terms import Terms, require
from .weights import minmax, rank, zscore

Source = Literal["policy", "ref"]
Normalize = Callable[[Array, Array], Array]
_NORMALIZERS: dict[str, Normalize] = {"minmax": minmax, "rank": rank, "zscore": zscore}


def branch(
    entropies: Array,
    mask: Array,
    *,
    ratio: float | Array = 0.3,
    threshold: float | Array = 1.2,
    q_min: float = 0.6,
    q_max: float = 1.4,
) -> Array:
    """Log of q = 1 + ratio · relu(H − threshold): the anchor weighs more where the text branches.

    `entropies` in nats, `mask` and the result [B, T].
    Raises ValueError unless 0 < q_min <= 1 <= q_max.

    >>> log_q = branch(jnp.array([[0.5, 2.2]]), jnp.ones((1, 2)))
    >>> print([f"{q:.2f}" for q in jnp.exp(log_q)[0].tolist()])
    ['1.00', '1.30']
    """
    entropies = as_real(entropies)
    q = 1.0 + like(ratio, entropies) * jax.nn.relu(entropies - like(threshold, entropies))
    return bounded_log(q, mask, q_min=q_min, q_max=q_max)


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
    """
    valid, logps = as_valid(mask), as_real(logps)
    weights = normalize(keep(valid, -logps), valid)
    q = 1.0 + like(alpha, weights) * weights
    if not (isinstance(sigma, int | float) and sigma == 0):
        noise = row_normals(_key(key, "token"), rows, valid.shape, logps.dtype)
        q = q + like(sigma, weights) * weights * noise
    return bounded_log(q, valid, q_min=q_min, q_max=q_max)


def random(
    mask: Array,
    key: Array | None,
    rows: Array | None = None,
    *,
    epsilon: float | Array = 0.1,
    sigma: float | Array = 0.15,
    q_min: float = 0.6,
    q_max: float = 1.4,
) -> Array:
    """Log of q = 1 + σ n with probability ε at each token, else of 1; n standard normal.

    `mask` and the result [B, T], float32. The noise of a row depends on `key` and its index in
    `rows` [B] alone. Raises ValueError without a key, or unless 0 < q_min <= 1 <= q_max.
    """
    key = _key(key, "random")
    drawn = _by_row(key, rows, mask.shape, 0, jax.random.uniform)
    noise = row_normals(key, rows, mask.shape)
    q = jnp.where(drawn < like(epsilon, drawn), 1.0 + like(sigma, noise) * noise, 1.0)
    return bounded_log(q, mask, q_min=q_min, q_max=q_max)


def none_guide() -> None:
    """No guide: q = 1, the reference as it is."""


def branch_guide(
    *,
    ratio: Scheduled = 0.3,
    threshold: Scheduled = 1.2,
    source: Source = "policy",
    q_min: float = 0.6,
    q_max: float = 1.4,
) -> Guide:
    """Guide q = 1 + ratio · relu(H − threshold): the anchor weighs more where the text branches.

    H in nats is `entropies` of the terms, or `ref_entropies` with source "ref". Raises ValueError
    for a negative ratio or threshold, and as `branch`.
    """
    name = _from(source, "entropies")
    _check_bounds(q_min, q_max)
    ratio = falling(ratio, "ratio", max_steps=None)
    threshold = falling(threshold, "threshold", max_steps=None)

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        del key
        return branch(
            require(terms, name, "the guide branch"),
            terms.mask,
            ratio=at(ratio, step),
            threshold=at(threshold, step),
            q_min=q_min,
            q_max=q_max,
        )

    return Guide(log_q, "branch", "prefix", frozenset((name,)))


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
    """
    name, weigh = _from(source, "logps"), _normalizer(normalize)
    _check_bounds(q_min, q_max)
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


def random_guide(
    *,
    epsilon: Falling = (0.1, 0.0),
    sigma: Falling = (0.15, 0.05),
    q_min: float = 0.6,
    q_max: float = 1.4,
    max_steps: int | None = None,
    num_cycles: int = 8,
    decay_rate: float = 0.9,
) -> Guide:
    """Guide q = 1 + σ n with probability ε, else 1; n standard normal.

    See `random`; `terms.rows` seeds each row, None counts from 0. A pair (upper, lower) falls as in
    `token_guide`. Raises ValueError for a probability above 1, and as `random` and
    `schedules.falling`.
    """
    _check_bounds(q_min, q_max)
    cycles: dict[str, Any] = {
        "max_steps": max_steps,
        "num_cycles": num_cycles,
        "decay_rate": decay_rate,
    }
    chance, noise = falling(epsilon, "epsilon", **cycles), falling(sigma, "sigma", **cycles)
    highest = epsilon[0] if isinstance(epsilon, tuple) else epsilon
    if isinstance(highest, int | float) and highest > 1:
        raise ValueError(f"epsilon is {epsilon}; a probability is 1 or less")

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        options = {"epsilon": at(chance, step), "sigma": at(noise, step)}
        return random(terms.mask, key, terms.rows, **options, q_min=q_min, q_max=q_max)

    return Guide(log_q, "random", "prefix")


def _normalizer(normalize: str | Normalize) -> Normalize:
    if callable(normalize):
        return normalize
    if normalize not in _NORMALIZERS:
        raise ValueError(f"normalize is {normalize!r}; it must be minmax, rank or zscore")
    return _NORMALIZERS[normalize]


def bounded_log(q: Array, mask: Array, *, q_min: float = 0.6, q_max: float = 1.4) -> Array:
    """Log of q clipped to [q_min, q_max], 0 where the mask is, constant under the gradient; [B, T].

    Raises ValueError unless 0 < q_min <= 1 <= q_max.
    """
    _check_bounds(q_min, q_max)
    log_q = jnp.log(jnp.clip(q, q_min, q_max))
    return jax.lax.stop_gradient(keep(as_valid(mask), log_q))


def row_normals(
    key: Array,
    rows: Array | None,
    shape: tuple[int, ...],
    dtype: jnp.dtype | type = jnp.float32,
) -> Array:
    """Standard normal noise [B, T] whose row i depends on `key` and `rows[i]` alone.

    A batch that is split, or spread over devices, gets the noise of the whole as long as `rows`
    holds each row's index in the whole. None: 0, 1, ..., B − 1.
    """
    return _by_row(key, rows, shape, 1, jax.random.normal, dtype)


def _by_row(
    key: Array,
    rows: Array | None,
    shape: tuple[int, ...],
    stream: int,
    draw: Callable[..., Array],
    dtype: jnp.dtype | type = jnp.float32,
) -> Array:
    batch, length = shape
    rows = jnp.arange(batch, dtype=jnp.int32) if rows is None else rows
    key = jax.random.fold_in(key, stream)
    return jax.vmap(lambda row: draw(jax.random.fold_in(key, row), (length,), dtype))(rows)


def _from(source: str, name: str) -> str:
    if source not in ("policy", "ref"):
        raise ValueError(f"source is {source!r}; it must be policy or ref")
    return name if source == "policy" else f"ref_{name}"


def _key(key: Array | None, guide: str) -> Array:
    if key is None:
        raise ValueError(f"key is None; the guide {guide} draws noise and needs one")
    return key


def _check_bounds(q_min: float, q_max: float) -> None:
    if not 0 < q_min <= 1 <= q_max:
        raise ValueError(
            f"q_min is {q_min} and q_max is {q_max}; 0 < q_min <= 1 <= q_max must hold"
        )
