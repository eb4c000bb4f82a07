"""Log-probabilities of given tokens without ever holding all the logits."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from sage_jax.models.blocks import cut, join
from sage_jax.models.transformer import Transformer


def token_logps(
    model: Transformer,
    hidden: jax.Array,
    tokens: jax.Array,
    *,
    temperature: float = 1.0,
    block_size: int = 128,
) -> tuple[jax.Array, jax.Array]:
    """Scores tokens: log softmax(logits / temperature)[token], and each distribution's entropy.

    Logits are computed for `block_size` columns at a time and again in the backward pass, so
    that memory holds [B, block_size, V] and never [B, T, V]. Differentiable in the model's
    parameters and in `hidden`.

    Args:
        model: Whose `unembed` is used.
        hidden: [B, T, D] final hidden states, at the places that predict `tokens`.
        tokens: [B, T] int32.
        temperature: Positive; divides the logits.
        block_size: Columns per block.

    Returns:
        logps: [B, T], nats, float32 or better.
        entropies: [B, T], nats, of the temperature-scaled distributions.

    Raises:
        ValueError: `temperature` or `block_size` is not positive, or shapes do not agree.
    """
    if not temperature > 0 or block_size < 1:
        raise ValueError(
            f"temperature ({temperature}) must be positive and block_size ({block_size}) at least 1"
        )
    if hidden.shape[:2] != tokens.shape:
        raise ValueError(
            f"hidden is {hidden.shape} and tokens {tokens.shape}; want [B, T, D], [B, T]"
        )
    # Once, and not again for every block.
    kernel = model.unembedding()
    score = jax.checkpoint(functools.partial(_score, model, kernel, temperature=temperature))
    length = tokens.shape[1]
    if length <= block_size:
        return score(hidden, tokens)
    blocks = (cut(hidden, block_size), cut(tokens, block_size))
    logps, entropies = jax.lax.map(lambda block: score(*block), blocks)
    return join(logps, length), join(entropies, length)


def _score(
    model: Transformer,
    kernel: jax.Array,
    hidden: jax.Array,
    tokens: jax.Array,
    *,
    temperature: float,
) -> tuple[jax.Array, jax.Array]:
    logits = model.unembed(hidden, kernel) / temperature
    log_z = jax.nn.logsumexp(logits, axis=-1, keepdims=True)
    logps = logits - log_z
    # A comparison instead of a gather: its transpose is a select, not a scatter, and it stays
    # local where the vocabulary is sharded.
    vocab = jnp.arange(logits.shape[-1], dtype=tokens.dtype)
    chosen = jnp.where(vocab[None, None] == tokens[..., None], logps, 0.0)
    return jnp.sum(chosen, axis=-1), -jnp.sum(jnp.exp(logps) * logps, axis=-1)
