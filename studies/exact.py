"""Exact figures of a model of a puzzle: the probability of every answer that can be right."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sage_jax.data.puzzle import Puzzle
from sage_jax.learn import Policy
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.passes import Pass
from sage_jax.learn.sequences import Sequences
from sage_jax.learn.shards import Shards


class Judgement(NamedTuple):
    """What a model makes of N problems with M answers each.

    Attributes:
        modes: float32[N, M], probability of each answer that is right, 0 of others.
        fork: float32[N], nats of the choice of an answer: of the tokens that choose, each given
            those before it.
        followed: float32[N], chance that all other tokens are those that the choice leads to.
    """

    modes: jax.Array
    fork: jax.Array
    followed: jax.Array


def judge(policy: Policy, params: Any, puzzle: Puzzle, prompts: jax.Array) -> Judgement:
    """Judge a model by teacher forcing of all answers; prompts int32[N, P]."""
    answers, right = puzzle.solutions(prompts)
    count, modes, length = answers.shape
    rows = Sequences(
        prompts,
        jnp.ones(prompts.shape, bool),
        answers.reshape(-1, length),
        jnp.ones((count * modes, length), jnp.float32),
    )
    each = Pass(1.0, count * modes, Shards.of(policy.mesh, puzzle.vocab_size))
    graphdef = policy.modules.graphdef
    logps, entropies = (
        x.reshape(count, modes, length) for x in logprobs(graphdef, params, rows, each=each)
    )
    choosing = jnp.zeros(length, bool).at[jnp.array(puzzle.choosing)].set(True)
    chosen = jnp.exp(jnp.where(choosing, logps, 0.0).sum(axis=-1))
    rest = jnp.exp(jnp.where(choosing, 0.0, logps).sum(axis=-1))
    share = chosen / chosen.sum(axis=1, keepdims=True)
    nats = jnp.where(choosing, entropies, 0.0).sum(axis=-1)
    return Judgement(
        jnp.where(right, chosen * rest, 0.0),
        (share * nats).sum(axis=1),
        (share * rest).sum(axis=1),
    )
