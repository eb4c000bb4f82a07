"""Prompts and completions side by side, and what a model says of the completions."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from sage_jax.models import Transformer
from sage_jax.rollout import Rollout


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sequences:
    """B rows of a left-padded prompt followed by a right-padded completion.

    Attributes:
        prompt_tokens: int32[B, P].
        prompt_mask: bool[B, P].
        tokens: int32[B, T].
        mask: float32[B, T].
    """

    prompt_tokens: jax.Array
    prompt_mask: jax.Array
    tokens: jax.Array
    mask: jax.Array


def of_rollout(rollout: Rollout) -> Sequences:
    """The sequences of a rollout, each prompt repeated for its group."""
    group_size = rollout.tokens.shape[0] // rollout.prompt_tokens.shape[0]
    prompts = jnp.repeat(rollout.prompt_tokens, group_size, axis=0)
    prompt_mask = jnp.repeat(rollout.prompt_mask, group_size, axis=0)
    return Sequences(prompts, prompt_mask, rollout.tokens, rollout.mask)


def completion_hidden(model: Transformer, sequences: Sequences) -> jax.Array:
    """Hidden states [B, T, D] that predict each completion token.

    Prompts end at the same slot in every row, so position t of the result is slot P - 1 + t.
    """
    # The last completion token predicts nothing that is asked for.
    completion, seen = sequences.tokens[:, :-1], sequences.mask[:, :-1] > 0
    tokens = jnp.concatenate([sequences.prompt_tokens, completion], axis=1)
    valid = jnp.concatenate([sequences.prompt_mask, seen], axis=1)
    positions = jnp.maximum(jnp.cumsum(valid, axis=1, dtype=jnp.int32) - 1, 0)
    hidden, _ = model(tokens, positions, valid)
    return hidden[:, sequences.prompt_tokens.shape[1] - 1 :]


def split_rows(tree: Any, count: int) -> Any:
    """Arrays [B, ...] as [count, B / count, ...], row i going to part i mod count.

    Dealt out like cards, so that where the rows are sharded every part has rows of every shard.
    """

    def deal(x):
        return jnp.swapaxes(x.reshape(-1, count, *x.shape[1:]), 0, 1)

    return jax.tree.map(deal, tree)


def join_rows(tree: Any) -> Any:
    """The inverse of `split_rows`."""
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1).reshape(-1, *x.shape[2:]), tree)
