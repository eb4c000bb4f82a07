"""Rotary position embeddings."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from sage_jax.models.config import Llama3Scaling, ModelConfig


def frequencies(config: ModelConfig) -> np.ndarray:
    """Angles per position, theta^(-2i / head_dim), stretched where the config says so.

    Returns:
        [head_dim / 2] float64, radians per position (Su et al., 2021; Llama 3.1's stretch).
    """
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float64) / config.head_dim
    plain = config.rope_theta**-exponents
    return plain if config.rope_scaling is None else _stretch(plain, config.rope_scaling)


def _stretch(plain: np.ndarray, scaling: Llama3Scaling) -> np.ndarray:
    """Interpolates between f and f / factor by the number of turns over the original context."""
    turns = scaling.original_max_positions * plain / (2 * math.pi)
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    keep = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return keep * plain + (1 - keep) * plain / scaling.factor


def angles(
    config: ModelConfig, positions: jax.Array, *, dtype: DTypeLike
) -> tuple[jax.Array, jax.Array]:
    """Cosines and sines of position times frequency.

    Args:
        config: Gives the frequencies.
        positions: [B, S] int32.
        dtype: Of the result; float32 or better.

    Returns:
        Two arrays [B, S, head_dim / 2].
    """
    turn = positions.astype(dtype)[..., None] * jnp.asarray(frequencies(config), dtype)[None, None]
    return jnp.cos(turn), jnp.sin(turn)


def rotate(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """Turns each pair (x_i, x_{i + H/2}) by the angle of its position.

    Args:
        x: [B, S, heads, H] queries or keys.
        cos: [B, S, H / 2].
        sin: [B, S, H / 2].

    Returns:
        Like `x`, in its dtype; the rotation is done in that of `cos`.
    """
    first, second = jnp.split(x.astype(cos.dtype), 2, axis=-1)
    cos, sin = cos[:, :, None], sin[:, :, None]
    turned = [first * cos - second * sin, second * cos + first * sin]
    return jnp.concatenate(turned, axis=-1).astype(x.dtype)
