"""Prompts and their completions, and what a model says of the completions."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from sage_jax.models import Transformer, begins
from sage_jax.rollout import Rollout


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sequences:
    """N left-padded prompts and B = N·G right-padded completions, those of a prompt adjacent.

    Or, where completions share rows, fewer rows of several completions each.

    Attributes:
        prompt_tokens: int32[N, P].
        prompt_mask: bool[N, P].
        tokens: int32[B, T].
        mask: float32[B, T].
        segments: int32[B, T], which of several completions in a row a token belongs to, 0 for none;
            None where each row is one.
    """

    prompt_tokens: jax.Array
    prompt_mask: jax.Array
    tokens: jax.Array
    mask: jax.Array
    segments: jax.Array | None = None


def of_rollout(rollout: Rollout) -> Sequences:
    """The sequences of a rollout."""
    return Sequences(rollout.prompt_tokens, rollout.prompt_mask, rollout.tokens, rollout.mask)


def completion_hidden(model: Transformer, sequences: Sequences) -> jax.Array:
    """Hidden states [B, T, D] that predict each completion token.

    The first token of each is predicted by the last one of the prompt, and the last token of a
    completion predicts nothing that is asked for.
    """
    rows = len(sequences.tokens) // len(sequences.prompt_tokens)
    segments = sequences.segments
    last = sequences.tokens.shape[1] - 1
    # Completions of one token are read for nothing: kernels need not know arrays without columns.
    read = max(last, 1)
    prompts, own = model.continue_prompts(
        sequences.prompt_tokens,
        sequences.prompt_mask,
        sequences.tokens[:, :read],
        sequences.mask[:, :read] > 0,
        segments=None if segments is None else segments[:, :read],
    )
    first = jnp.repeat(prompts[:, -1:], rows, axis=0)
    hidden = jnp.concatenate([first, own[:, :last]], axis=1)
    if segments is None:
        return hidden
    return jnp.where(begins(segments)[..., None], first, hidden)


def split_groups(
    sequences: Sequences, rows: Any, count: int, *, shards: int = 1
) -> tuple[Sequences, Any]:
    """Cut into `count` parts along a new first axis; `rows` is any tree of arrays [B, ...].

    Groups are dealt out like cards, so that where rows are sharded every part has rows of every
    shard. They stay whole while there are enough of them for every shard of every part; otherwise
    they are cut into as few smaller groups as will do, each with its own copy of the prompt.

    Args:
        sequences: B rows.
        rows: what goes with them.
        count: parts.
        shards: that rows are split over.
    """
    sequences = _regrouped(sequences, count * shards)
    prompts = len(sequences.prompt_tokens)
    return jax.tree.map(lambda x: _deal(x, prompts, count), (sequences, rows))


def join_groups(rows: Any, prompts: int) -> Any:
    """Arrays [count, B / count, ...] as [B, ...]: the inverse of `split_groups`."""

    def join(x):
        count, size = x.shape[:2]
        each = max(prompts // count, 1) if prompts % count == 0 else size
        x = x.reshape(count, each, -1, *x.shape[2:])
        return jnp.swapaxes(x, 0, 1).reshape(count * size, *x.shape[3:])

    return jax.tree.map(join, rows)


def _regrouped(sequences: Sequences, divisor: int) -> Sequences:
    """Groups cut into the fewest smaller ones whose number `divisor` divides, or into rows."""
    prompts = len(sequences.prompt_tokens)
    group_size = len(sequences.tokens) // prompts
    cuts = [
        n for n in range(1, group_size + 1) if group_size % n == 0 and prompts * n % divisor == 0
    ]
    copies = min(cuts, default=group_size)
    if copies == 1:
        return sequences
    both = (sequences.prompt_tokens, sequences.prompt_mask)
    tokens, mask = (jnp.repeat(x, copies, axis=0) for x in both)
    return dataclasses.replace(sequences, prompt_tokens=tokens, prompt_mask=mask)


def _deal(x: jax.Array, prompts: int, count: int) -> jax.Array:
    """[prompts * g, ...] as [count, prompts / count * g, ...]; prompt i goes to part i % count."""
    group = x.shape[0] // prompts
    x = x.reshape(prompts // count, count, group, *x.shape[1:])
    return jnp.swapaxes(x, 0, 1).reshape(count, -1, *x.shape[3:])
