"""The scoring step: log-probabilities and entropies of completions under given weights."""

from typing import Any

import jax
from flax import nnx

from sage_jax import models
from sage_jax.train.packing import Packing, pack, unpack
from sage_jax.train.sequences import Sequences, completion_hidden, join_groups, split_groups
from sage_jax.train.shards import Shards


def score(
    graphdef: nnx.GraphDef,
    params: Any,
    sequences: Sequences,
    packing: Packing | None = None,
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
        packing: how completions share rows, if they do.
        temperature: divides the logits.
        micro_batch: completions in one forward pass; divides B.
        shards: that rows and vocabulary are split over.

    Returns:
        (logps, entropies), float32[B, T] in nats; what lies under the mask is of no meaning.
    """
    model = models.merge(graphdef, params)

    def one(part: tuple[Sequences, Packing | None]):
        return token_scores(model, *part, temperature=temperature, shards=shards)

    count = len(sequences.tokens) // micro_batch
    parts = split_groups(sequences, packing, count, shards=shards.rows)
    prompts = parts[0].prompt_tokens.shape[0] * parts[0].prompt_tokens.shape[1]
    return join_groups(jax.lax.map(one, parts), prompts)


def token_scores(
    model: models.Transformer,
    sequences: Sequences,
    packing: Packing | None,
    *,
    temperature: float,
    shards: Shards,
) -> tuple[jax.Array, jax.Array]:
    """(logps, entropies) [B, T] of one pass, see `score`; differentiable."""
    rows = sequences if packing is None else pack(sequences, packing)
    scores = models.token_logps(
        model,
        completion_hidden(model, rows),
        rows.tokens,
        temperature=temperature,
        block_size=shards.block_size(rows.tokens.size),
        shards=shards.vocab,
    )
    return scores if packing is None else jax.tree.map(lambda x: unpack(x, packing), scores)
