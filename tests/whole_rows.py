"""Completions behind copies of their prompts, as plain rows: what shared prompts are held to."""

import jax.numpy as jnp

from sage_jax import models


def whole_rows(rollout):
    """(tokens, positions, valid) [B, P + T] of a rollout; column P + t holds completion token t."""
    prompts, valid = (
        jnp.repeat(x, rollout.group_size, axis=0)
        for x in (rollout.prompt_tokens, rollout.prompt_mask)
    )
    valid = jnp.concatenate([valid, rollout.mask > 0], axis=1)
    tokens = jnp.concatenate([prompts, rollout.tokens], axis=1)
    return tokens, models.count_positions(valid), valid
