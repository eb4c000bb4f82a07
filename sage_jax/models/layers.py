"""The leaves every block is made of: linear maps (with room for LoRA) and an RMS norm."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike


def stats_dtype(dtype: DTypeLike) -> jnp.dtype:
    """The dtype of reductions: float32, or float64 where the computation is in float64."""
    return jnp.dtype(jnp.float64 if jnp.dtype(dtype) == jnp.float64 else jnp.float32)


class Linear(nnx.Module):
    """y = x W + b, plus (alpha / r) x A B once adapters are attached.

    `kernel` is [in, out], `bias` [out], `lora_a` [in, r], `lora_b` [r, out]. Products are taken in
    `compute_dtype`, whatever the dtype of the parameters.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        use_bias: bool = False,
        scale: float = 1.0,
        compute_dtype: DTypeLike,
        param_dtype: DTypeLike,
        rngs: nnx.Rngs,
    ):
        init = jax.nn.initializers.variance_scaling(scale, "fan_in", "truncated_normal")
        self.kernel = nnx.Param(init(rngs.params(), (in_features, out_features), param_dtype))
        self.bias = nnx.data(
            nnx.Param(jnp.zeros((out_features,), param_dtype)) if use_bias else None
        )
        self.lora_a: nnx.LoRAParam | None = nnx.data(None)
        self.lora_b: nnx.LoRAParam | None = nnx.data(None)
        self.lora_scale = 0.0
        self.compute_dtype = jnp.dtype(compute_dtype)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [..., in] to [..., out] in the compute dtype."""
        x = x.astype(self.compute_dtype)
        y = x @ self.kernel[...].astype(self.compute_dtype)
        if self.lora_a is not None and self.lora_b is not None:
            low = x @ self.lora_a[...].astype(self.compute_dtype)
            high = _widen(low, self.lora_b[...].astype(self.compute_dtype))
            y = y + jnp.asarray(self.lora_scale, self.compute_dtype) * high
        return _with_bias(y, self.bias)

    def folded(self) -> jax.Array:
        """The kernel [in, out] with the adapters added in, in the compute dtype."""
        kernel = self.kernel[...]
        if self.lora_a is not None and self.lora_b is not None:
            kernel = kernel.astype(stats_dtype(self.compute_dtype))
            kernel = add_low_rank(kernel, self.lora_a[...], self.lora_b[...], self.lora_scale)
        return kernel.astype(self.compute_dtype)


def add_low_rank(kernel: jax.Array, low: jax.Array, high: jax.Array, scale: float) -> jax.Array:
    """W + scale · A B, of [.., in, out], [.., in, r] and [.., r, out], in float32 or better."""
    dtype = jnp.promote_types(stats_dtype(kernel.dtype), stats_dtype(low.dtype))
    update = jnp.matmul(low.astype(dtype), high.astype(dtype), precision="highest")
    return kernel.astype(dtype) + jnp.asarray(scale, dtype) * update


def _with_bias(y: jax.Array, bias: nnx.Param | None) -> jax.Array:
    if bias is None:
        return y
    return y + bias[...].astype(y.dtype).reshape((1,) * (y.ndim - 1) + (-1,))


@jax.custom_vjp
def _widen(low: jax.Array, high: jax.Array) -> jax.Array:
    """The product of low [..., r] and high [r, out], with a gradient that turns the narrow operand.

    JAX's own gradient of `high` puts the wide cotangent [..., out] first, and XLA on CPU then turns
    it for a product with a few columns: a fifth of an update's time.
    """
    return low @ high


def _widen_forward(low: jax.Array, high: jax.Array) -> tuple[jax.Array, tuple]:
    return low @ high, (low, high)


def _widen_backward(kept: tuple, wide: jax.Array) -> tuple[jax.Array, jax.Array]:
    low, high = kept
    rows = tuple(range(low.ndim - 1))
    return wide @ high.T, jax.lax.dot_general(low, wide, ((rows, rows), ((), ())))


_widen.defvjp(_widen_forward, _widen_backward)


class Turned(nnx.Module):
    """Linear maps of one input, [in, out_1] .. [in, out_n], side by side: x (W_1 .. W_n) + b.

    For passes over few rows, many times with the same weights, on CPU. XLA arranges the weights
    anew for every product there, which costs less where one product takes the place of several and
    the kernel lies as [out, in]. It also leaves cores idle in a product of few rows, so that two
    products of half the columns, which run side by side, take less time than one. Adapters are
    folded in, so that there is nothing here to train.
    """

    def __init__(self, *linears: Linear):
        kernel = jnp.concatenate([one.folded().T for one in linears])
        self.halves = nnx.data([nnx.Param(half) for half in jnp.array_split(kernel, 2)])
        biases = [one.bias[...] for one in linears if one.bias is not None]
        self.bias = nnx.data(nnx.Param(jnp.concatenate(biases)) if biases else None)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [..., in] to [..., out_1 + .. + out_n] in the compute dtype."""
        dims = (((x.ndim - 1,), (1,)), ((), ()))
        halves = [half[...] for half in self.halves]
        made = [jax.lax.dot_general(x.astype(half.dtype), half, dims) for half in halves]
        return _with_bias(jnp.concatenate(made, axis=-1), self.bias)


class RMSNorm(nnx.Module):
    """y = (offset + scale) x / sqrt(mean(x²) + eps) over the last axis (Zhang and Sennrich, 2019).

    The statistics are float32 or better, the result is in `compute_dtype`. At first offset + scale
    is 1.
    """

    def __init__(
        self,
        features: int,
        *,
        eps: float,
        offset: float = 0.0,
        compute_dtype: DTypeLike,
        param_dtype: DTypeLike,
    ):
        self.scale = nnx.Param(jnp.full((features,), 1 - offset, param_dtype))
        self.eps = eps
        self.offset = offset
        self.compute_dtype = jnp.dtype(compute_dtype)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [..., features] to the same shape."""
        dtype = stats_dtype(self.compute_dtype)
        x = x.astype(dtype)
        mean_square = jnp.mean(jnp.square(x), axis=-1, keepdims=True)
        scale = self.scale[...].astype(dtype).reshape((1,) * (x.ndim - 1) + (-1,))
        scale = scale + self.offset if self.offset else scale
        return (x * jax.lax.rsqrt(mean_square + self.eps) * scale).astype(self.compute_dtype)
