"""Logits processors: temperature, top-k, top-p and min-p, as pure functions of logits.

Everywhere in this package the order is temperature, top-k, top-p, min-p, each seeing what the one
before it has left. A token that a filter drops gets the logit -inf. Every filter is a threshold, so
tokens that tie with the last one kept are kept too. The options are Python numbers; at its neutral
value a filter returns its argument and so costs nothing in a compiled program.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

_BITS_OF_ONE = 0x3F800000
_LOWEST, _HIGHEST = -(2**31), 2**31 - 1


def check_filters(*, temperature: float, top_k: int, top_p: float, min_p: float) -> None:
    """Refuse sampling options outside their ranges.

    Raises:
        ValueError: `temperature` is negative or not finite, `top_k` is negative or no integer,
            `top_p` is outside (0, 1], or `min_p` is outside [0, 1].
    """
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature must be 0 (greedy) or a positive number, got {temperature}")
    if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 0:
        raise ValueError(f"top_k must be 0 (off) or a positive integer, got {top_k!r}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1], with 1 meaning off, got {top_p}")
    if not 0 <= min_p <= 1:
        raise ValueError(f"min_p must be in [0, 1], with 0 meaning off, got {min_p}")


def apply_temperature(logits: jax.Array, temperature: float) -> jax.Array:
    """Logits in float32 divided by the temperature: z = logits / temperature.

    Args:
        logits: [..., V], any float dtype.
        temperature: above 0. Greedy decoding, written as temperature 0 elsewhere, has no scaled
            logits and is refused here.

    Raises:
        ValueError: `temperature` is not a positive number.

    >>> apply_temperature(jnp.array([1.0, 2.0]), 0.5).tolist()
    [2.0, 4.0]
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be a positive number, got {temperature}")
    logits = logits.astype(jnp.float32)
    return logits if temperature == 1 else logits / temperature


def apply_top_k(logits: jax.Array, top_k: int) -> jax.Array:
    """Keep the `top_k` largest logits of each row, and whatever ties with the last of them.

    Args:
        logits: [..., V].
        top_k: how many to keep; 0, or V and more, keeps all.

    Source: Fan et al. 2018, "Hierarchical Neural Story Generation" (arXiv 1805.04833), section 5.

    >>> apply_top_k(jnp.array([3.0, 1.0, 2.0]), 2).tolist()
    [3.0, -inf, 2.0]
    """
    check_filters(temperature=1.0, top_k=top_k, top_p=1.0, min_p=0.0)
    if top_k == 0 or top_k >= logits.shape[-1]:
        return logits
    z = logits.astype(jnp.float32)
    return jnp.where(z >= _largest_but(z, top_k), logits, -jnp.inf)


def _largest_but(z: jax.Array, count: int) -> jax.Array:
    """The `count`-th largest number of each row: [..., V] float32 -> [..., 1].

    XLA sorts the whole row for this on CPU and GPU; counting 32 times is some 15 times faster.
    """
    ordered = _ordered_bits(z)

    def enough(threshold):
        return jnp.sum(ordered >= threshold, axis=-1, keepdims=True, dtype=jnp.int32) >= count

    start = jnp.full_like(z[..., :1], _LOWEST, jnp.int32)
    return _from_ordered_bits(_last_true(enough, start, _HIGHEST, steps=32))


def apply_top_p(logits: jax.Array, top_p: float) -> jax.Array:
    """Keep the smallest set of most probable tokens whose probability reaches `top_p`.

    The set is {v : p_v >= t} with the largest t for which its mass is at least top_p. t is found
    by bisection on the bits of float32, which needs no sort and is exact but for the rounding of
    the mass itself (about 1e-6); tokens of equal probability stay or go together.

    Args:
        logits: [..., V]; -inf marks tokens that an earlier filter has dropped, and probabilities
            are those of the tokens that remain.
        top_p: in (0, 1]; 1 keeps all.

    Source: Holtzman et al. 2019, "The Curious Case of Neural Text Degeneration" (arXiv 1904.09751),
    section 3.1.

    >>> jnp.isfinite(apply_top_p(jnp.log(jnp.array([0.5, 0.1, 0.4])), 0.8)).tolist()
    [True, False, True]
    """
    check_filters(temperature=1.0, top_k=0, top_p=top_p, min_p=0.0)
    if top_p == 1:
        return logits
    z = logits.astype(jnp.float32)
    weights = jnp.exp(z - jnp.max(z, axis=-1, keepdims=True))
    return jnp.where(weights >= _nucleus_threshold(weights, top_p), logits, -jnp.inf)


def _nucleus_threshold(weights: jax.Array, top_p: float) -> jax.Array:
    """Largest t such that the weights at or above t sum to top_p of all: [..., V] -> [..., 1]."""
    wanted = top_p * jnp.sum(weights, axis=-1, keepdims=True)

    def enough(bits):
        at_least = weights >= _from_ordered_bits(bits)
        return jnp.sum(jnp.where(at_least, weights, 0.0), axis=-1, keepdims=True) >= wanted

    # Weights lie in [0, 1], so the search can begin at the bits of 0 and end at those of 1.
    start = jnp.zeros_like(wanted, jnp.int32)
    return _from_ordered_bits(_last_true(enough, start, _BITS_OF_ONE + 1, steps=30))


def _last_true(
    predicate: Callable[[jax.Array], jax.Array], low: jax.Array, high: int, *, steps: int
) -> jax.Array:
    """Largest integer in [low, high) that satisfies a predicate true at low and then false."""

    def halve(_, bounds):
        low, high = bounds
        # The mean, rounded down, of two int32 whose sum may overflow.
        middle = (low & high) + ((low ^ high) >> 1)
        holds = predicate(middle)
        return jnp.where(holds, middle, low), jnp.where(holds, high, middle)

    return lax.fori_loop(0, steps, halve, (low, jnp.full_like(low, high)))[0]


def _ordered_bits(x: jax.Array) -> jax.Array:
    """The int32 that are ordered as float32 numbers are."""
    bits = lax.bitcast_convert_type(x, jnp.int32)
    return jnp.where(bits < 0, bits ^ _HIGHEST, bits)


def _from_ordered_bits(bits: jax.Array) -> jax.Array:
    return lax.bitcast_convert_type(jnp.where(bits < 0, bits ^ _HIGHEST, bits), jnp.float32)


def apply_min_p(logits: jax.Array, min_p: float) -> jax.Array:
    """Keep the tokens at least `min_p` times as probable as the most probable one.

    In logits: z_v >= max z + log(min_p).

    Args:
        logits: [..., V].
        min_p: in [0, 1]; 0 keeps all, 1 only the most probable token (and its ties).

    Source: Nguyen et al. 2024, "Turning Up the Heat: Min-p Sampling" (arXiv 2407.01082), section 3.

    >>> apply_min_p(jnp.array([0.0, -1.0, -3.0]), 0.1).tolist()
    [0.0, -1.0, -inf]
    """
    check_filters(temperature=1.0, top_k=0, top_p=1.0, min_p=min_p)
    if min_p == 0:
        return logits
    floor = jnp.max(logits, axis=-1, keepdims=True) + math.log(min_p)
    return jnp.where(logits >= floor, logits, -jnp.inf)


def apply_filters(logits: jax.Array, *, top_k: int, top_p: float, min_p: float) -> jax.Array:
    """Top-k, then top-p, then min-p on logits [..., V] that are already temperature-scaled."""
    return apply_min_p(apply_top_p(apply_top_k(logits, top_k), top_p), min_p)
