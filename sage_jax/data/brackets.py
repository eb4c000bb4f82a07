"""A puzzle of tokens with eighteen derivations a problem: bracket three numbers to hit a target.

A prompt is `cue a b c op2 target`; a completion is `mode x op1 y z1 w z2 end`, read as "combine x
and y by op1 to z1, then z1 and w by op2 to z2". The mode says which two of a, b, c come first and
on which side the third stands (six ways), op1 is free (three ways), and the answer is right if
every token follows and z2 is the target, all modulo 17. Several derivations of one problem can be
right, so both the first try and the coverage of many tries mean something; a cue token names a
mode that works, sometimes, so that there is something to learn.

Everything here is a pure function of arrays and runs inside jit.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax.data.puzzle import Problems, Puzzle, draw_operands, which

MODULUS = 17
OPERATORS = MODULUS  # tokens 17..19: x-y, x+2y, xy+y
MODES = OPERATORS + 3  # tokens 20..25
BLANK = MODES + 6  # a cue that says nothing
END = BLANK + 1
VOCAB_SIZE = END + 1
PROMPT_LENGTH = 6
COMPLETION_LENGTH = 8

# For each mode the places in (a, b, c) of the first pair and of the third number, and whether the
# third stands on the right of the pair's result: (ab)c, a(bc), (ac)b, (bc)a, b(ac), c(ab).
_PAIRS = np.array([[0, 1, 2], [1, 2, 0], [0, 2, 1], [1, 2, 0], [0, 2, 1], [0, 1, 2]])
_THIRD_RIGHT = np.array([True, False, True, True, False, False])


class Mix(NamedTuple):
    """How problems are planted: odds of modes and operators, and of a cue and of its being true."""

    modes: tuple[float, ...]
    operators: tuple[float, ...]
    cue: float
    cue_true: float


# Supervised warm-up sees common modes more often and cues that are half noise; reinforcement
# learning and evaluation see rarer modes and honest cues, so that there is room to improve.
WARMUP = Mix((0.50, 0.22, 0.12, 0.08, 0.05, 0.03), (0.5, 0.3, 0.2), 0.4, 0.5)
PLAY = Mix((0.30, 0.20, 0.15, 0.15, 0.10, 0.10), (0.4, 0.3, 0.3), 0.4, 1.0)


def _combine(operator: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    results = jnp.stack([x - y, x + 2 * y, x * y + y])
    return jnp.take_along_axis(results, operator[None], axis=0)[0] % MODULUS


def derive(
    numbers: jax.Array, mode: jax.Array, first: jax.Array, second: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The completion that a choice of mode and operators leads to, and its result.

    Args:
        numbers: int32[N, 3], the operands a, b, c.
        mode: int32[N] in 0..5.
        first: int32[N] in 0..2, the operator inside the bracket.
        second: int32[N] in 0..2, the operator outside.

    Returns:
        (int32[N, 8] completion with its end token, int32[N] result z2).
    """
    x, y, w = jnp.take_along_axis(numbers, jnp.asarray(_PAIRS)[mode], axis=1).T
    inner = _combine(first, x, y)
    right = jnp.asarray(_THIRD_RIGHT)[mode]
    outer = _combine(second, jnp.where(right, inner, w), jnp.where(right, w, inner))
    tokens = [mode + MODES, x, first + OPERATORS, y, inner, w, outer, jnp.full_like(mode, END)]
    return jnp.stack(tokens, axis=1).astype(jnp.int32), outer


def held_out(numbers: jax.Array) -> jax.Array:
    """Whether operands [N, 3] belong to the held-out eighth, which training never draws."""
    return (numbers @ jnp.array([1, 2, 3], numbers.dtype)) % 8 == 0


def _draw_numbers(key: jax.Array, count: int, *, hold_out: bool) -> jax.Array:
    # The odds that a row is still on the wrong side are (7/8)^200 = 3e-12 at worst, and then
    # (0, 0, 0) is held out and (1, 0, 0) is not.
    redraws, fallback = (200, (0, 0, 0)) if hold_out else (16, (1, 0, 0))
    return draw_operands(
        key, (count, 3), MODULUS, held_out, hold_out=hold_out, redraws=redraws, fallback=fallback
    )


def draw(key: jax.Array, count: int, mix: Mix, *, hold_out: bool = False) -> Problems:
    """Plant `count` problems: draw operands and a derivation, and ask for its result."""
    keys = jax.random.split(key, 7)
    numbers = _draw_numbers(keys[0], count, hold_out=hold_out)
    modes, operators = (jnp.log(jnp.array(odds)) for odds in (mix.modes, mix.operators))
    mode = jax.random.categorical(keys[1], modes, shape=(count,)).astype(jnp.int32)
    first, second = jax.random.categorical(keys[2], operators, shape=(2, count)).astype(jnp.int32)
    planted, target = derive(numbers, mode, first, second)
    shown = jax.random.bernoulli(keys[3], mix.cue, (count,))
    honest = jax.random.bernoulli(keys[4], mix.cue_true, (count,))
    noise = jax.random.randint(keys[5], (count,), 0, 6, jnp.int32)
    cue = jnp.where(shown, MODES + jnp.where(honest, mode, noise), BLANK)
    prompts = [cue[:, None], numbers, (second + OPERATORS)[:, None], target[:, None]]
    return Problems(jnp.concatenate(prompts, axis=1).astype(jnp.int32), planted)


def solutions(prompts: jax.Array) -> tuple[jax.Array, jax.Array]:
    """All eighteen derivations of each problem, and which of them hit the target.

    Args:
        prompts: int32[N, 6].

    Returns:
        (int32[N, 18, 8], bool[N, 18]).
    """
    mode, first = (grid.ravel() for grid in jnp.mgrid[0:6, 0:3].astype(jnp.int32))

    def one(prompt):
        numbers = jnp.broadcast_to(prompt[1:4], (18, 3))
        tokens, results = derive(numbers, mode, first, jnp.full(18, prompt[4] - OPERATORS))
        return tokens, results == prompt[5]

    return jax.vmap(one)(prompts)


def reward(prompts: jax.Array, tokens: jax.Array, mask: jax.Array) -> jax.Array:
    """1 where a completion is one of its problem's right derivations, to the token; else 0.

    Args:
        prompts: int32[B, 6], one a row of `tokens`.
        tokens: int32[B, T].
        mask: float[B, T].

    Returns:
        float32[B].
    """
    return (which(solutions(prompts), tokens, mask) >= 0).astype(jnp.float32)


_NAMES = (
    [str(n) for n in range(MODULUS)]
    + ["x-y", "x+2y", "xy+y"]
    + ["(ab)c", "a(bc)", "(ac)b", "(bc)a", "b(ac)", "c(ab)"]
    + ["?", "end"]
)


def spell(tokens) -> str:
    """Tokens as a person reads them; `?` is the blank cue.

    >>> spell([26, 3, 5, 1, 17, 6])
    '? 3 5 1 x-y 6'
    """
    return " ".join(_NAMES[int(token)] for token in tokens)


def _drawn(key: jax.Array, count: int, hold_out: bool) -> Problems:
    return draw(key, count, PLAY, hold_out=hold_out)


def _demonstrated(key: jax.Array, count: int) -> Problems:
    return draw(key, count, WARMUP)


PUZZLE = Puzzle(
    name="brackets",
    vocab_size=VOCAB_SIZE,
    end=END,
    prompt_length=PROMPT_LENGTH,
    completion_length=COMPLETION_LENGTH,
    modes=tuple(
        f"{_NAMES[mode]} {_NAMES[first]}"
        for mode in range(MODES, MODES + 6)
        for first in range(OPERATORS, OPERATORS + 3)
    ),
    choosing=(0, 2),
    draw=_drawn,
    demonstrate=_demonstrated,
    solutions=solutions,
    spell=spell,
)
