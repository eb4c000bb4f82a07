"""What the policy's and the reference's logits tell of each token, before an update."""

from collections.abc import Callable
from typing import Any

import jax

from sage_jax.learn.sequences import Sequences, join_groups, split_groups
from sage_jax.learn.update import Update
from sage_jax.losses import Terms


def per_token(
    update: Update,
    measure: Callable[[Terms], Any],
    trained: Any,
    frozen: Any,
    sequences: Sequences,
    terms: Terms,
) -> Any:
    """What `measure` makes of each token with what the update is to see of it; pure.

    Logits are there of one micro-batch at a time, and what is left of them is [B, T].

    Args:
        update: that is to follow, whose policy and micro-batches these are.
        measure: terms as the loss gets them, to a tree of [b, T], as `Objective.distances`.
        trained: arrays of the policy.
        frozen: see `Modules`.
        sequences: B rows.
        terms: of all rows, with what is taken from the whole batch.
    """
    each = update.each
    count = len(sequences.tokens) // each.micro_batch
    parts = split_groups(sequences, terms, count, shards=each.shards.rows)

    def one(part: tuple[Sequences, Terms]) -> Any:
        return measure(update.observed(trained, frozen, *part))

    found = jax.lax.map(one, parts)
    prompts = parts[0].prompt_tokens
    return join_groups(found, prompts.shape[0] * prompts.shape[1])
