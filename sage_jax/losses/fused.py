"""Log-probabilities and entropies straight from hidden states, never holding all logits."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from ._arrays import real_dtype

Constrain = Callable[[Array, tuple[str | None, ...]], Array]


def unconstrained(x: Array, axes: tuple[str | None, ...]) -> Array:
    """Leave it to the compiler how an array lies over devices."""
    del axes
    return x


def from_hidden(
    hidden: Array,
    kernel: Array,
    tokens: Array,
    *,
    temperature: float = 1.0,
    vocab_axis: int = 0,
    block_size: int = 4096,
    shards: int = 1,
    constrain: Constrain = unconstrained,
) -> tuple[Array, Array]:
    """What `from_logits` gives for logits = hidden · kernel, a block of the vocabulary at a time.

    With z = hidden · kernel / temperature and π = softmax(z): logps = z[tokens] − logsumexp(z) and
    entropies = −Σ_v π log π, both from one pass over blocks with a running maximum (Milakov and
    Gimelshein, arXiv 1805.02867). The gradient computes each block's z again:
    dz_v = dlogp (1[v = token] − π_v) − dentropy π_v (log π_v + entropy). The most that is held is
    [..., block_size] and one block of the kernel in the dtype of `hidden`.

    Args:
        hidden: [..., D].
        kernel: [V, D], or [D, V] with `vocab_axis` 1.
        tokens: [...] int32.
        temperature: positive.
        vocab_axis: which axis of the kernel is the vocabulary.
        block_size: entries of the vocabulary at a time, on each of its shards.
        shards: devices that the vocabulary is split over; divides V. A block then has entries of
            every shard, and sums over the vocabulary cross devices once instead of once a block.
        constrain: (array, names of its axes) -> the same, laid over the devices as the names ask:
            "batch" for the first axis of `tokens`, "vocab" and "embed" for the kernel's. The kernel
            is made whole along "embed" once a pass, and its gradient split along it in every block.

    Returns:
        logps [...], nats, float32 or better, and entropies [...], nats.

    Raises:
        ValueError: a knob is not positive, or shapes do not agree.

    >>> hidden, kernel = jnp.zeros((1, 1, 2)), jnp.zeros((4, 2))
    >>> logps, entropies = from_hidden(hidden, kernel, jnp.array([[2]]))
    >>> print(f"{float(logps[0, 0]):.4f} {float(entropies[0, 0]):.4f}")
    -1.3863 1.3863
    """
    if not temperature > 0 or block_size < 1:
        raise ValueError(
            f"temperature ({temperature}) must be positive and block_size ({block_size}) at least 1"
        )
    width, vocab = kernel.shape[1 - vocab_axis], kernel.shape[vocab_axis]
    if hidden.shape != (*tokens.shape, width):
        raise ValueError(
            f"hidden is {hidden.shape}, kernel {kernel.shape} and tokens {tokens.shape}; want "
            f"[..., {width}], [{vocab}, {width}] and [...]"
        )
    if shards < 1 or vocab % shards:
        raise ValueError(f"shards ({shards}) must divide the vocabulary of {vocab}")
    length = vocab // shards
    plan = _Plan(vocab_axis, shards, length, min(block_size, length), temperature, constrain)
    return _scored(hidden, plan.split(kernel), tokens.astype(jnp.int32), plan)


class _Plan(NamedTuple):
    """How the vocabulary is walked through; `split` kernels are [s, V/s, D] or [D, s, V/s]."""

    vocab_axis: int
    shards: int
    length: int
    block: int
    temperature: float
    constrain: Constrain

    @property
    def letters(self) -> str:
        return "svd" if self.vocab_axis == 0 else "dsv"

    @property
    def count(self) -> int:
        return -(-self.length // self.block)

    def split(self, kernel: Array) -> Array:
        cut = (self.shards, self.length)
        return kernel.reshape((*cut, -1) if self.vocab_axis == 0 else (kernel.shape[0], *cut))

    def lay(self, kernel: Array, embed: str | None) -> Array:
        """A split kernel over the devices, its width by the name `embed`."""
        axes = ("vocab", None, embed) if self.vocab_axis == 0 else (embed, "vocab", None)
        return self.constrain(kernel, axes)

    def start(self, index: Array) -> Array:
        """First entry of a block; the last one begins earlier where it would not be full."""
        return jnp.minimum(index.astype(jnp.int32) * self.block, self.length - self.block)

    def take(self, kernel: Array, index: Array, dtype: jnp.dtype) -> Array:
        axis = self.vocab_axis + 1
        return lax.dynamic_slice_in_dim(kernel, self.start(index), self.block, axis).astype(dtype)

    def add(self, total: Array, part: Array, index: Array) -> Array:
        """`total` with `part` added where `take` took from."""
        axis, start = self.vocab_axis + 1, self.start(index)
        if self.length % self.block:  # Blocks overlap; what is seen again adds zeros.
            part = part + lax.dynamic_slice_in_dim(total, start, self.block, axis)
        return lax.dynamic_update_slice_in_dim(total, part, start, axis)

    def logits(self, hidden: Array, block: Array) -> Array:
        """The scaled logits [..., s, block]."""
        z = jnp.einsum(
            f"...d,{self.letters}->...sv", hidden, block, preferred_element_type=real_dtype(hidden)
        )
        rows = ("batch", *(None,) * (hidden.ndim - 2)) if hidden.ndim > 1 else ()
        return self.constrain(z, (*rows, "vocab", None)) / self.temperature

    def ids(self, index: Array, tokens: Array) -> Array:
        """Tokens of the entries of a block, [1 ..., s, block], and -1 for those seen before."""
        places = self.start(index) + jnp.arange(self.block, dtype=jnp.int32)[None]
        firsts = jnp.arange(self.shards, dtype=jnp.int32)[:, None] * self.length
        ids = jnp.where(places >= index.astype(jnp.int32) * self.block, firsts + places, -1)
        return ids.reshape((1,) * tokens.ndim + ids.shape)

    def fresh(self, ids: Array, values: Array, otherwise: ArrayLike) -> Array:
        """`values` [..., s, block] where a block's entries are not seen a second time."""
        return jnp.where(ids >= 0, values, otherwise) if self.length % self.block else values


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _scored(hidden: Array, kernel: Array, tokens: Array, plan: _Plan) -> tuple[Array, Array]:
    return _forward(hidden, kernel, tokens, plan)[0]


def _forward(hidden: Array, kernel: Array, tokens: Array, plan: _Plan):
    whole = plan.lay(kernel, None)
    lowest = jnp.finfo(real_dtype(hidden)).min
    like = jnp.zeros((*tokens.shape, plan.shards), real_dtype(hidden))

    def body(index: Array, sums: tuple[Array, ...]) -> tuple[Array, ...]:
        """Σ exp(z − top), Σ exp(z − top) (z − top) and the token's own z, for the top so far."""
        top, mass, moment, chosen = sums
        ids = plan.ids(index, tokens)
        z = plan.logits(hidden, plan.take(whole, index, hidden.dtype))
        own = jnp.where(ids == tokens[..., None, None], z, 0)
        z = plan.fresh(ids, z, lowest)
        # With a new top m' in the place of m, what was summed so far is carried over by
        #   mass'   = exp(m - m') mass
        #   moment' = exp(m - m') (moment + (m - m') mass),   as z - m' = (z - m) + (m - m').
        higher = jnp.maximum(top, z.max(-1))
        z = z - higher[..., None]
        e, fall = jnp.exp(z), top - higher
        # As a product: XLA on CPU takes five times as long over a multiplication and a sum.
        weighted = jnp.vecdot(e, z, precision="highest")
        moment = (moment + mass * fall) * jnp.exp(fall) + weighted
        return higher, mass * jnp.exp(fall) + e.sum(-1), moment, chosen + own.sum(-1)

    start = (jnp.full_like(like, lowest), like, like, like)
    logps, log_z, entropies = _joined(*lax.fori_loop(0, plan.count, body, start))
    return (logps, entropies), (hidden, kernel, tokens, log_z, entropies)


def _joined(top: Array, mass: Array, moment: Array, chosen: Array) -> tuple[Array, Array, Array]:
    """Sums over the shards of the vocabulary [..., s] as logps, logsumexp and entropies [...]."""
    # log Z = m + log mass,   log p(y) = z_y - log Z,   H = log Z - E[z] = log mass - moment / mass.
    highest = top.max(-1, keepdims=True)
    fall = top - highest
    moment = ((moment + mass * fall) * jnp.exp(fall)).sum(-1)
    mass = (mass * jnp.exp(fall)).sum(-1)
    log_mass = jnp.log(mass)
    log_z = highest[..., 0] + log_mass
    return chosen.sum(-1) - log_z, log_z, log_mass - moment / mass


def _backward(plan: _Plan, kept: tuple[Array, ...], cotangents: tuple[Array, Array]):
    hidden, kernel, tokens, log_z, entropies = kept
    d_logps, d_entropies = (x[..., None, None] / plan.temperature for x in cotangents)
    log_z, entropies = log_z[..., None, None], entropies[..., None, None]
    whole = plan.lay(kernel, None)

    def body(index: Array, sums: tuple[Array, Array]) -> tuple[Array, Array]:
        d_hidden, d_kernel = sums
        # d log p(y) / dz_v = [v = y] - p_v,   dH / dz_v = -p_v (log p_v + H).
        ids, block = plan.ids(index, tokens), plan.take(whole, index, hidden.dtype)
        logps = plan.logits(hidden, block) - log_z
        dz = -jnp.exp(logps) * (d_logps + d_entropies * (logps + entropies))
        dz = dz + jnp.where(ids == tokens[..., None, None], d_logps, 0)
        dz = plan.fresh(ids, dz, 0).astype(hidden.dtype)
        real = d_hidden.dtype
        d_hidden += jnp.einsum(
            f"...sv,{plan.letters}->...sd", dz, block, preferred_element_type=real
        )
        part = jnp.einsum(f"...sv,...d->{plan.letters}", dz, hidden, preferred_element_type=real)
        part = plan.lay(part.astype(kernel.dtype), "embed")
        return d_hidden, plan.add(d_kernel, part, index)

    d_hidden = jnp.zeros((*tokens.shape, plan.shards, hidden.shape[-1]), log_z.dtype)
    sums = (d_hidden, plan.lay(jnp.zeros_like(kernel), "embed"))
    d_hidden, d_kernel = lax.fori_loop(0, plan.count, body, sums)
    return d_hidden.sum(-2).astype(hidden.dtype), d_kernel, None


_scored.defvjp(_forward, _backward)
