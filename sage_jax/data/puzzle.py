"""A puzzle of tokens as one value: pure functions that draw, solve and judge, inside jit.

Every answer that a puzzle could have to a problem is one of M worked ones, its modes, of which one
or more hit the problem's target. That is what lets a model be judged without sampling.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax.rewards.exact import exact_match


class Problems(NamedTuple):
    """A batch of problems.

    Attributes:
        prompts: int32[N, P].
        planted: int32[N, T], the completion that each problem was made from.
    """

    prompts: jax.Array
    planted: jax.Array


@dataclass(frozen=True, eq=False)
class Puzzle:
    """What a puzzle is made of; two are equal only where they are the same object.

    Attributes:
        name: what ids of problems begin with.
        vocab_size: tokens 0..vocab_size - 1.
        end: the token that ends every completion, and pads.
        prompt_length: P.
        completion_length: T, the end token included.
        modes: M names, in the order of `solutions`.
        choosing: places of a completion that choose a mode; the others follow from what is before.
        draw: (key, count, hold_out) -> Problems, of either side of the split.
        demonstrate: (key, count) -> Problems to learn from, as noisy as the puzzle has them.
        solutions: prompts [N, P] -> (tokens int32[N, M, T], right bool[N, M]).
        spell: tokens -> text.
    """

    name: str
    vocab_size: int
    end: int
    prompt_length: int
    completion_length: int
    modes: tuple[str, ...]
    choosing: tuple[int, ...]
    draw: Callable[[jax.Array, int, bool], Problems]
    demonstrate: Callable[[jax.Array, int], Problems]
    solutions: Callable[[jax.Array], tuple[jax.Array, jax.Array]]
    spell: Callable[[np.ndarray], str]


def which(solutions: tuple[jax.Array, jax.Array], tokens: jax.Array, mask: jax.Array) -> jax.Array:
    """The right answer that each completion is, to the token.

    Args:
        solutions: (int32[B, M, T], bool[B, M]): worked answers, and which of them are right.
        tokens: int32[B, U].
        mask: float[B, U].

    Returns:
        int32[B], the answer's place 0..M-1; -1 where a completion is none of the right ones.
    """
    worked, right = solutions
    whole = jnp.ones(worked.shape[::2], jnp.float32)
    same = jax.vmap(lambda one: exact_match(tokens, mask, one, whole), in_axes=1, out_axes=1)
    hits = (same(worked) > 0) & right
    return jnp.where(hits.any(axis=1), hits.argmax(axis=1), -1).astype(jnp.int32)


def draw_operands(
    key: jax.Array,
    shape: tuple[int, int],
    modulus: int,
    held_out: Callable[[jax.Array], jax.Array],
    *,
    hold_out: bool,
    redraws: int,
    fallback: tuple[int, ...],
) -> jax.Array:
    """Numbers below `modulus` from the wanted side of a split, by a bounded number of redraws.

    Args:
        key: of the draws.
        shape: (N, numbers of each problem).
        modulus: numbers are 0..modulus - 1.
        held_out: numbers -> bool[N], which side each row is on.
        hold_out: the side that is wanted.
        redraws: how often a row on the other side is drawn again.
        fallback: numbers on the wanted side, which a row gets that is on the other one after all.
    """

    def redraw(numbers, key):
        fresh = jax.random.randint(key, shape, 0, modulus, jnp.int32)
        return jnp.where((held_out(numbers) == hold_out)[:, None], numbers, fresh), None

    first, rest = jax.random.split(key)
    numbers = jax.random.randint(first, shape, 0, modulus, jnp.int32)
    numbers, _ = jax.lax.scan(redraw, numbers, jax.random.split(rest, redraws))
    last = jnp.array([fallback], jnp.int32)
    return jnp.where((held_out(numbers) == hold_out)[:, None], numbers, last)
