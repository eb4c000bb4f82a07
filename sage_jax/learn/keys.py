"""Randomness by purpose and step, folded from one root, so that a resumed run draws alike."""

import enum

import jax


class Purpose(enum.IntEnum):
    """What a key is for; the numbers are part of a run's identity and never change."""

    MODEL = 0
    ADAPTERS = 1
    ROLLOUT = 2
    LOSS = 3
    EVALUATION = 4
    PROMPTS = 5


def derive(root: jax.Array, purpose: Purpose, *indices: jax.typing.ArrayLike) -> jax.Array:
    """The key for a purpose at given indices (step, attempt, ...)."""
    key = jax.random.fold_in(root, int(purpose))
    for index in indices:
        key = jax.random.fold_in(key, index)
    return key


def key(seed: int, step: int) -> jax.Array:
    """The key that a run of this seed samples with at a step, as the command line does."""
    return derive(jax.random.key(seed), Purpose.ROLLOUT, step, 0)
