"""Log-probabilities and entropies of completions under given weights."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from sage_jax import models
from sage_jax.learn.bins import Slots, over_passes, pack, unpack
from sage_jax.learn.packing import Packing
from sage_jax.learn.passes import Pass
from sage_jax.learn.sequences import Sequences, completion_hidden, join_groups, split_groups


def logprobs(
    graphdef: nnx.GraphDef,
    params: Any,
    sequences: Sequences,
    packing: Packing | None = None,
    *,
    each: Pass,
) -> tuple[jax.Array, jax.Array]:
    """Log-probability of each completion token, and the entropy it was drawn with.

    Args:
        graphdef: static half of the model.
        params: its arrays.
        sequences: B rows.
        packing: how completions share rows, if they do.
        each: how rows go through the model.

    Returns:
        (logps, entropies), float32[B, T] in nats; what lies under the mask is of no meaning.
    """
    model = models.merge(graphdef, params)

    def of(part: Sequences, slots: Slots | None):
        return token_logprobs(model, part, slots, each)

    if packing is not None:
        return _packed(of, sequences, packing, each)
    count = len(sequences.tokens) // each.micro_batch
    parts, _ = split_groups(sequences, (), count, shards=each.shards.rows)
    scores = jax.lax.map(lambda part: of(part, None), parts)
    return join_groups(scores, parts.prompt_tokens.shape[0] * parts.prompt_tokens.shape[1])


def _packed(
    of: Callable[..., tuple[jax.Array, jax.Array]],
    sequences: Sequences,
    packing: Packing,
    each: Pass,
) -> tuple[jax.Array, jax.Array]:
    def one(total: tuple[()], rows: Sequences, _: Any, slots: Slots):
        return total, of(rows, slots)

    def update(part: tuple[Sequences, Packing]):
        sequences, packing = part
        return over_passes(packing, sequences, (), one, ())[1]

    groups, count = len(sequences.prompt_tokens), len(packing.passes)
    parts, _ = split_groups(sequences, (), count)
    parts = each.shards.settle(parts, groups // count)
    return join_groups(jax.lax.map(update, (parts, packing)), groups)


def token_logprobs(
    model: models.Transformer, sequences: Sequences, slots: Slots | None, each: Pass
) -> tuple[jax.Array, jax.Array]:
    """(logps, entropies) [B, T] of one pass, see `logprobs`; differentiable."""
    rows = sequences if slots is None else pack(sequences, slots)
    scores = models.token_logps(
        model,
        completion_hidden(model, rows),
        rows.tokens,
        temperature=each.temperature,
        block_size=each.shards.block_size(rows.tokens.size),
        shards=each.shards.vocab,
    )
    return scores if slots is None else jax.tree.map(lambda x: unpack(x, slots), scores)
