"""The scoring step: log-probabilities and entropies of completions under given weights."""

from typing import Any

import jax
from flax import nnx

from sage_jax import models
from sage_jax.train.sequences import Sequences, completion_hidden, join_groups, split_groups
from sage_jax.train.shards import Shards


def score(
    graphdef: nnx.GraphDef,
    params: Any,
    sequences: Sequences,
    *,
    temperature: float,
    micro_batch: int,
    shards: Shards,
) -> tuple[jax.Array, jax.Array]:
    """Log-probability of each completion token, and the entropy it was drawn with.

    Args:
        graphdef: static half of the model.
        params: its arrays.
        sequences: B rows.
        temperature: divides the logits.
        micro_batch: rows in one forward pass; divides B.
        shards: that rows and vocabulary are split over.

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
            block_size=shards.block_size(part.tokens.size),
            shards=shards.vocab,
        )

    count = len(sequences.tokens) // micro_batch
    parts, _ = split_groups(sequences, (), count, shards=shards.rows)
    prompts = parts.prompt_tokens.shape[0] * parts.prompt_tokens.shape[1]
    return join_groups(jax.lax.map(one, parts), prompts)
