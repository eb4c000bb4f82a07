"""Drawing one token per row from logits, without noise or a sort over the vocabulary."""

import math

import jax
import jax.numpy as jnp

from sage_jax.rollout.filters import apply_filters, apply_temperature

_BLOCK = 128
# exp(-87) is the smallest power still above float32's subnormals, which some backends flush to 0.
_LOWEST_EXPONENT = -87.0


def sample(logits: jax.Array, key: jax.Array) -> jax.Array:
    """Draw token v with probability softmax(logits)_v by inverting the distribution function.

    The vocabulary is cut into blocks of 128: one uniform number picks the block and a second the
    token inside it. Sums therefore run over at most V/128 and 128 terms, so a token's probability
    is met to about 1e-6 of its block's, a block's to about 1e-6 of the whole, and rare tokens are
    not lost to the 2^-23 grid of a single float32 uniform. A token of logit -inf, or 87 below the
    largest, is never returned.

    Args:
        logits: [..., V].
        key: one PRNG key for all rows, or one key per row, [...].

    Returns:
        Tokens [...], int32.

    Raises:
        ValueError: `key` is an array of keys of another shape than the rows.

    >>> logits = jnp.array([[0.0, -jnp.inf, -jnp.inf], [-jnp.inf, -jnp.inf, 0.0]])
    >>> sample(logits, jax.random.key(0)).tolist()
    [0, 2]
    """
    return _categorical(logits, _uniforms(key, logits.shape[:-1]))[0]


def greedy(logits: jax.Array) -> jax.Array:
    """The most probable token of each row, the lowest id among equals: [..., V] -> [...] int32."""
    # Two plain reductions vectorise on CPU, where argmax's reduction of pairs does not.
    size = logits.shape[-1]
    is_best = logits == jnp.max(logits, axis=-1, keepdims=True)
    ids = jax.lax.broadcasted_iota(jnp.int32, logits.shape, logits.ndim - 1)
    return jnp.minimum(jnp.min(jnp.where(is_best, ids, size), axis=-1), size - 1)


def draw(
    logits: jax.Array,
    keys: jax.Array,
    *,
    temperature: float,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
) -> tuple[jax.Array, jax.Array]:
    """Draw a token per row and say how probable the unfiltered policy holds it.

    Token v has probability softmax(min_p(top_p(top_k(z))))_v with z = logits / temperature. Its
    log-probability is reported as z_v - logsumexp(z), that is before the filters, which is what
    a policy gradient trains. Temperature 0 takes the most probable token, filters are then without
    effect, and log-probabilities are those of temperature 1.

    Args:
        logits: [B, V].
        keys: one PRNG key per row, [B].
        temperature: 0 for greedy, or a divisor of the logits.
        top_k: how many tokens to keep, 0 for all.
        top_p: probability to keep, 1 for all.
        min_p: least probability relative to the largest, 0 for all.

    Returns:
        Tokens [B] int32 and log-probabilities [B] float32, in nats.
    """
    if temperature == 0:
        scaled = logits.astype(jnp.float32)
        return _with_logps(scaled, greedy(scaled), jax.nn.logsumexp(scaled, axis=-1))
    scaled = apply_temperature(logits, temperature)
    filtered = apply_filters(scaled, top_k=top_k, top_p=top_p, min_p=min_p)
    tokens, log_normalizers = _categorical(filtered, _uniforms(keys, logits.shape[:-1]))
    if filtered is not scaled:
        log_normalizers = jax.nn.logsumexp(scaled, axis=-1)
    return _with_logps(scaled, tokens, log_normalizers)


def _with_logps(z, tokens, log_normalizers):
    chosen = jnp.take_along_axis(z, tokens[..., None], axis=-1)[..., 0]
    return tokens, chosen - log_normalizers


def _uniforms(key: jax.Array, rows: tuple[int, ...]) -> jax.Array:
    """Two uniform numbers in [0, 1) per row: [*rows, 2]."""
    if key.shape == ():
        return jax.random.uniform(key, (*rows, 2))
    if key.shape != rows:
        raise ValueError(f"key must be one key or keys of shape {rows}, got shape {key.shape}")
    uniform = jax.vmap(lambda one: jax.random.uniform(one, (2,)))
    return uniform(key.reshape(-1)).reshape(*rows, 2)


def _categorical(logits: jax.Array, uniforms: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Tokens and logsumexp of every row: [..., V], [..., 2] -> [...], [...]."""
    rows = logits.shape[:-1]
    flat = logits.reshape(math.prod(rows), logits.shape[-1])
    tokens, log_normalizers = jax.vmap(_categorical_row)(flat, uniforms.reshape(-1, 2))
    return tokens.reshape(rows), log_normalizers.reshape(rows)


def _categorical_row(logits: jax.Array, uniforms: jax.Array) -> tuple[jax.Array, jax.Array]:
    """[V], [2] -> token, logsumexp. Only one block's weights are ever formed as an array."""
    logits = logits.astype(jnp.float32)
    blocks = _into_blocks(logits)
    largest = jnp.max(logits)
    sums = jnp.sum(_weights(blocks, largest), axis=-1)
    block = _invert(sums, uniforms[0])
    inside = _invert(_weights(blocks[block], largest), uniforms[1])
    return block * blocks.shape[1] + inside, largest + jnp.log(jnp.sum(sums))


def _into_blocks(logits: jax.Array) -> jax.Array:
    size = logits.shape[-1]
    if size <= _BLOCK:
        return logits.reshape(1, size)
    padded = jnp.pad(logits, (0, -size % _BLOCK), constant_values=-jnp.inf)
    return padded.reshape(-1, _BLOCK)


def _weights(logits: jax.Array, largest: jax.Array) -> jax.Array:
    exponents = logits - largest
    return jnp.where(exponents >= _LOWEST_EXPONENT, jnp.exp(exponents), 0.0)


def _invert(weights: jax.Array, uniform: jax.Array) -> jax.Array:
    """First index whose cumulative weight exceeds uniform x total, among weights above 0."""
    # A parallel cumulative sum is monotone only up to rounding, so zero weights are ruled out by
    # name. uniform <= 1 - 2^-23, so its product with the largest sum rounds strictly below it.
    cumulative = jnp.where(weights > 0, jnp.cumsum(weights), -1.0)
    exceeds = cumulative > uniform * jnp.max(cumulative)
    return jnp.argmax(exceeds).astype(jnp.int32)
