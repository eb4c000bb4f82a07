"""The scoring step: log-probabilities and entropies of completions under given weights."""

from typing import Any

import jax
from flax import nnx

from sage_jax import models
from sage_jax.train.sequences import Sequences, completion_hidden, join_groups, split_groups

TOKENS_AT_ONCE = 1024  # Tokens whose logits over the vocabulary a shard holds at once.


def score(
    graphdef: nnx.GraphDef,
    params: Any,
    sequences: Sequences,
    *,
    temperature: float,
    micro_batch: int,
    shards: int = 1,
) -> tuple[jax.Array, jax.Array]:
    """Log-probability of each completion token, and the entropy it was drawn with.

    Args:
        graphdef: static half of the model.
        params: its arrays.
        sequences: B rows.
        temperature: divides the logits.
        micro_batch: rows in one forward pass; divides B.
        shards: that rows are split over.

    Returns:
        (logps, entropies), float32[B, T] in nats; what lies under the mask is of no meaning.
    """
    model = models.merge(graphdef, params)

    def one(part: Sequences):
        hidden = completion_hidden(model, part)
        return models.token_logps(
            model,
            hidden,
            part.tokens,
            temperature=temperature,
            block_size=columns(micro_batch, shards),
        )

    count = len(sequences.tokens) // micro_batch
    parts, _ = split_groups(sequences, (), count, shards=shards)
    prompts = parts.prompt_tokens.shape[0] * parts.prompt_tokens.shape[1]
    return join_groups(jax.lax.map(one, parts), prompts)


def columns(rows: int, shards: int) -> int:
    """Columns of completions whose logits are held at once, so that memory does not grow with T."""
    return max(1, TOKENS_AT_ONCE * shards // rows)
