"""A puzzle of tokens in which one token chooses and five compute: which program hits the target?

A prompt is `a b c d target`; a completion is `program z1 z2 z3 z4 z5 end`. A program is five
operations, each x - y or x + 2y, and z_i is the i-th of them on z_{i-1} (z_0 = a) and the i-th of
b, c, d, a, b, all modulo 11. An answer is right if every value follows and z5 is the target. The
prompt does not say which program it was made by, and another one hits its target by chance.

Demonstrations slip: each value is replaced by a wrong one with probability `noise`, and what
follows goes on from the value written. So a model that learns from them is unsure in two ways: of
the program, where several are worth trying, and of each value, where one alone is right.

Everything here is a pure function of arrays and runs inside jit. `Odds` may be static or, but for
`modulus`, hold traced numbers.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax.data.puzzle import Problems, Puzzle, draw_operands, which

PROMPT_LENGTH = 5
COMPLETION_LENGTH = 7
# The operation of each step, of each program: 0 is x - y, 1 is x + 2y.
CODES = np.array([[int(bit) for bit in code] for code in (
    "00000", "11111", "01010", "10101", "00111", "11000", "01101", "10010",
    "00011", "11100", "01001", "10110", "00100", "11011", "01110", "10001",
)])  # fmt: skip
_OPERANDS = (1, 2, 3, 0, 1)  # Places in (a, b, c, d) of what each step takes in.
EIGHT = (0.28, 0.20, 0.15, 0.12, 0.09, 0.07, 0.05, 0.04)  # 1.90 nats
SIXTEEN = (
    0.17,
    0.13,
    0.11,
    0.09,
    0.08,
    0.07,
    0.06,
    0.06,
    0.05,
    0.04,
    0.04,
    0.03,
    0.03,
    0.02,
    0.01,
    0.01,
)  # 2.54 nats; fmt: skip


class Odds(NamedTuple):
    """How problems are planted and shown.

    Attributes:
        programs: odds of each program, the first of `CODES`; their number is that of programs.
        noise: probability that a value of a demonstration is wrong.
        modulus: of the numbers, which are the tokens below it.
    """

    programs: tuple[float, ...] = EIGHT
    noise: float = 0.16
    modulus: int = 11

    @property
    def end(self) -> int:
        """The token that ends a completion; programs are the tokens between the numbers and it."""
        return self.modulus + len(self.programs)

    @property
    def vocab_size(self) -> int:
        """Numbers, programs and the end."""
        return self.end + 1


def cut(programs: int) -> tuple[float, ...]:
    """Odds of the first programs: those of 8 for up to 8, else those of 16, as parts of 1.

    >>> cut(2)
    (0.5833333333333334, 0.4166666666666667)
    """
    odds = EIGHT if programs <= len(EIGHT) else SIXTEEN
    total = sum(odds[:programs])
    return tuple(one / total for one in odds[:programs]) if programs < len(odds) else odds


def run(
    numbers: jax.Array, program: jax.Array, slips: jax.Array, odds: Odds
) -> tuple[jax.Array, jax.Array]:
    """The completion that a program leads to, and its last value.

    z_i = op_i(z_{i-1}, x_i) + slip_i, and each z_i is what the next one goes on from.

    Args:
        numbers: int32[N, 4], the operands a, b, c, d.
        program: int32[N] in 0..K-1.
        slips: int32[N, 5], added to each value; 0 computes it right.
        odds: for its modulus and number of programs.

    Returns:
        (int32[N, 7] completion with its end token, int32[N] value z5).
    """
    value, values = numbers[:, 0], []
    codes = jnp.asarray(CODES, jnp.int32)[program]
    for step, place in enumerate(_OPERANDS):
        x = numbers[:, place]
        computed = jnp.where(codes[:, step] > 0, value + 2 * x, value - x)
        value = (computed + slips[:, step]) % odds.modulus
        values.append(value)
    tokens = [program + odds.modulus, *values, jnp.full_like(program, odds.end)]
    return jnp.stack(tokens, axis=1).astype(jnp.int32), value


def held_out(numbers: jax.Array, modulus: int) -> jax.Array:
    """Whether operands [N, 4] are among the held-out ones (1 in `modulus`), never trained on."""
    return (numbers @ jnp.array([1, 2, 3, 5], numbers.dtype)) % modulus == 0


def draw(key: jax.Array, count: int, odds: Odds, *, hold_out: bool = False) -> Problems:
    """Plant `count` problems: draw operands and a program, and ask for its result.

    Args:
        key: of the draws.
        count: N.
        odds: of programs.
        hold_out: the side of the split that operands are of.

    Returns:
        Prompts int32[N, 5] and the completions they were made from, int32[N, 7], without slips.
    """
    return _planted(key, count, odds, jnp.zeros((count, len(_OPERANDS)), jnp.int32), hold_out)


def demonstrate(key: jax.Array, count: int, odds: Odds, *, hold_out: bool = False) -> Problems:
    """As `draw`, the same problems of the same key, with completions that slip."""
    hits, by = jax.random.split(jax.random.fold_in(key, 1))
    shape = (count, len(_OPERANDS))
    slipped = jax.random.bernoulli(hits, odds.noise, shape)
    slips = jnp.where(slipped, jax.random.randint(by, shape, 1, odds.modulus, jnp.int32), 0)
    return _planted(key, count, odds, slips, hold_out)


def _planted(key: jax.Array, count: int, odds: Odds, slips: jax.Array, hold_out: bool) -> Problems:
    first, second = jax.random.split(key)
    # The chance that a row is still on the wrong side is (10/11)^300 = 4e-13 at worst.
    numbers = draw_operands(
        first,
        (count, 4),
        odds.modulus,
        functools.partial(held_out, modulus=odds.modulus),
        hold_out=hold_out,
        redraws=300 if hold_out else 16,
        fallback=(0 if hold_out else 1, 0, 0, 0),
    )
    chances = jnp.log(jnp.asarray(odds.programs, jnp.float32))
    program = jax.random.categorical(second, chances, shape=(count,)).astype(jnp.int32)
    _, target = run(numbers, program, jnp.zeros_like(slips), odds)
    written, _ = run(numbers, program, slips, odds)
    prompts = jnp.concatenate([numbers, target[:, None]], axis=1)
    return Problems(prompts.astype(jnp.int32), written)


def solutions(prompts: jax.Array, odds: Odds) -> tuple[jax.Array, jax.Array]:
    """What each of the K programs leads to for each problem, and which of them hit the target.

    Args:
        prompts: int32[N, 5].
        odds: for its modulus and number of programs.

    Returns:
        (int32[N, K, 7], bool[N, K]).
    """
    count, each = len(odds.programs), len(prompts)
    program = jnp.tile(jnp.arange(count, dtype=jnp.int32), each)
    numbers = jnp.repeat(prompts[:, :4], count, axis=0)
    none = jnp.zeros((count * each, len(_OPERANDS)), jnp.int32)
    tokens, results = run(numbers, program, none, odds)
    right = results.reshape(each, count) == prompts[:, 4:]
    return tokens.reshape(each, count, -1), right


def mode(prompts: jax.Array, tokens: jax.Array, mask: jax.Array, odds: Odds) -> jax.Array:
    """The program by which each completion is right, int32[B]; -1 where it is wrong.

    Args:
        prompts: int32[B, 5], one a row of `tokens`.
        tokens: int32[B, T].
        mask: float[B, T].
        odds: for its modulus and number of programs.
    """
    return which(solutions(prompts, odds), tokens, mask)


def reward(prompts: jax.Array, tokens: jax.Array, mask: jax.Array, odds: Odds) -> jax.Array:
    """1 where every value follows, the last is the target and the end comes then; else 0.

    Arguments as of `mode`; float32[B].
    """
    return (mode(prompts, tokens, mask, odds) >= 0).astype(jnp.float32)


def names(odds: Odds) -> tuple[str, ...]:
    """How each program is written: its operations, `-` for x - y and `+` for x + 2y.

    >>> names(Odds())[:3]
    ('-----', '+++++', '-+-+-')
    """
    return tuple("".join("-+"[bit] for bit in code) for code in CODES[: len(odds.programs)])


def spell(tokens, odds: Odds) -> str:
    """Tokens as a person reads them.

    >>> spell([3, 5, 1, 0, 7, 12, 19], Odds())
    '3 5 1 0 7 +++++ end'
    """
    words = [*map(str, range(odds.modulus)), *names(odds), "end"]
    return " ".join(words[int(token)] for token in tokens)


@functools.lru_cache(maxsize=64)
def puzzle(odds: Odds) -> Puzzle:
    """The puzzle as a task reads it: one object for the same odds, so that it compiles once."""

    def drawn(key: jax.Array, count: int, hold_out: bool) -> Problems:
        return draw(key, count, odds, hold_out=hold_out)

    return Puzzle(
        name="programs",
        vocab_size=odds.vocab_size,
        end=odds.end,
        prompt_length=PROMPT_LENGTH,
        completion_length=COMPLETION_LENGTH,
        modes=names(odds),
        choosing=(0,),
        draw=drawn,
        demonstrate=functools.partial(demonstrate, odds=odds),
        solutions=functools.partial(solutions, odds=odds),
        spell=functools.partial(spell, odds=odds),
    )
