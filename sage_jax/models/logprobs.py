"""Log-probabilities of given tokens without ever holding all the logits."""

from __future__ import annotations

import jax

from sage_jax import losses
from sage_jax.models.transformer import Transformer


def token_logps(
    model: Transformer,
    hidden: jax.Array,
    tokens: jax.Array,
    *,
    temperature: float = 1.0,
    block_size: int = 1024,
    shards: int = 1,
) -> tuple[jax.Array, jax.Array]:
    """Scores tokens: log softmax(logits / temperature)[token], and each distribution's entropy.

    See `losses.from_hidden`, which this calls with the model's own output matrix. Differentiable
    in the model's parameters and in `hidden`.

    Args:
        model: Whose logits.
        hidden: [B, T, D] final hidden states, at the places that predict `tokens`.
        tokens: [B, T] int32.
        temperature: Positive; divides the logits.
        block_size: Entries of the vocabulary whose logits are held at once, on each shard of it.
        shards: Devices that the vocabulary is split over.

    Returns:
        logps: [B, T], nats, float32 or better.
        entropies: [B, T], nats, of the temperature-scaled distributions.

    Raises:
        ValueError: `temperature` or `block_size` is not positive, or shapes do not agree.
    """
    kernel, vocab_axis = model.output_matrix()
    return losses.from_hidden(
        hidden,
        kernel,
        tokens,
        temperature=temperature * model.config.logits_scaling,
        vocab_axis=vocab_axis,
        block_size=block_size,
        shards=shards,
        constrain=model.constrain,
    )
