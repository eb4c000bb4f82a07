r"""Procedural arithmetic in words, with several ways to reason to each answer.

A base model trained on all styles has several right derivations of every problem, so that a policy
that keeps only one of them shows as lost coverage.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from sage_jax.data.problem import DataError, Problem
from sage_jax.data.styles import STYLES, Operation, evaluate, work

ANSWER_FORMAT = r"\boxed{{answer}}"
OPERATIONS: tuple[Operation, ...] = ("add", "subtract", "multiply")
Split = Literal["train", "held_out", "all"]

_SIGNS: dict[Operation, str] = {"add": "+", "subtract": "-", "multiply": "×"}
_OPERATION_OF: dict[str, Operation] = {sign: name for name, sign in _SIGNS.items()}
_QUESTION = re.compile(r"What is (\d+) ([+×-]) (\d+)\?")
_DRAWS_PER_PROBLEM = 50
_MAX_FACTOR = 9  # Of a product's second number.


def is_held_out(operation: Operation, a: int, b: int, *, held_out: float) -> bool:
    """Whether a problem belongs to the held-out split: a hash of it falls below `held_out`.

    Problems that differ by the order of commuting numbers fall on the same side.
    """
    numbers = (a, b) if operation == "subtract" else (min(a, b), max(a, b))
    digest = hashlib.sha256(f"{operation} {numbers[0]} {numbers[1]}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < held_out * 2**64


def make_problems(
    seed: int,
    num_problems: int,
    *,
    operations: Sequence[Operation] = OPERATIONS,
    low: int = 10,
    high: int = 99,
    split: Split = "train",
    held_out: float = 0.2,
) -> list[Problem]:
    """Draw distinct problems such as "What is 23 + 45?".

    The operation is drawn evenly, then the numbers. The same arguments give the same problems, and
    fewer of them the first ones. The train and held-out splits never share a problem, whatever the
    seeds.

    Args:
        seed: of the draws.
        num_problems: how many.
        operations: of "add", "subtract" (never below zero) and "multiply" (by 2 to 9).
        low: least number; difficulty grows with `high`.
        high: greatest number.
        split: "train", "held_out" or "all".
        held_out: share of all problems that is held out.

    Returns:
        Problems with ids such as "arithmetic-add-23-45"; `solutions` works them out.

    Raises:
        DataError: if an argument makes no sense, or there are not that many distinct problems.

    >>> [problem.problem for problem in make_problems(0, 2, operations=("add",))]
    ['What is 86 + 67?', 'What is 56 + 34?']
    """
    _check(num_problems, operations, low, high, split, held_out)
    generator = np.random.default_rng([seed, 0])
    problems: dict[str, Problem] = {}
    for _ in range(_DRAWS_PER_PROBLEM * (num_problems + 50)):
        if len(problems) == num_problems:
            break
        operation = operations[int(generator.integers(len(operations)))]
        a, b = _draw(generator, operation, low, high)
        if split == "all" or is_held_out(operation, a, b, held_out=held_out) == (
            split == "held_out"
        ):
            problem = _problem(operation, a, b)
            problems.setdefault(problem.id, problem)
    if len(problems) < num_problems:
        raise DataError(
            f"num_problems {num_problems} is more than the distinct problems with {low} to {high},"
            f" of which {len(problems)} were found in split {split!r}; widen the range"
        )
    return list(problems.values())


def count_problems(operations: Sequence[Operation], *, low: int, high: int) -> int:
    """Number of distinct problems that `make_problems` can draw from, both splits together.

    >>> count_problems(("add", "subtract"), low=1, high=20)
    610
    """
    numbers = max(0, high - low + 1)
    of = {
        "add": numbers * numbers,
        "subtract": numbers * (numbers + 1) // 2,
        "multiply": numbers * (_MAX_FACTOR - 1),
    }
    return sum(of[operation] for operation in operations)


def _check(
    num_problems: int,
    operations: Sequence[str],
    low: int,
    high: int,
    split: str,
    held_out: float,
) -> None:
    if num_problems < 1:
        raise DataError(f"num_problems must be at least 1, got {num_problems}")
    if not operations or not set(operations) <= set(OPERATIONS):
        raise DataError(f"operations must be some of {OPERATIONS}, got {tuple(operations)}")
    if not 0 <= low <= high <= 10**6:
        raise DataError(f"low {low} and high {high} must satisfy 0 <= low <= high <= 1000000")
    if split not in ("train", "held_out", "all"):
        raise DataError(f"split must be 'train', 'held_out' or 'all', got {split!r}")
    if not 0.0 < held_out < 1.0:
        raise DataError(f"held_out must lie between 0 and 1, got {held_out}")


def _draw(
    generator: np.random.Generator, operation: Operation, low: int, high: int
) -> tuple[int, int]:
    a = int(generator.integers(low, high + 1))
    if operation == "multiply":
        return a, int(generator.integers(2, _MAX_FACTOR + 1))
    b = int(generator.integers(low, high + 1))
    return (max(a, b), min(a, b)) if operation == "subtract" else (a, b)


def _problem(operation: Operation, a: int, b: int) -> Problem:
    return Problem(
        id=f"arithmetic-{operation}-{a}-{b}",
        problem=f"What is {a} {_SIGNS[operation]} {b}?",
        answer=str(evaluate(operation, a, b)),
        source=f"arithmetic/{operation}",
    )


def solutions(problem: Problem, *, answer_format: str = ANSWER_FORMAT) -> dict[str, str]:
    r"""Work a problem out in every style, each a whole completion that ends with the answer.

    Args:
        problem: one of `make_problems`.
        answer_format: how to write the answer, which goes in the place of "{answer}".

    Returns:
        Completions by style: "direct", "split" (by tens and units), "round" (through a round
        number) and "reorder" (the numbers or digits the other way round).

    Raises:
        DataError: if the problem is not one of these, or the format has not one "{answer}".

    >>> solutions(make_problems(0, 1, operations=("add",))[0])["split"]
    '86 = 80 + 6 and 67 = 60 + 7. 80 + 60 = 140. 6 + 7 = 13. 140 + 13 = 153. \\boxed{153}'
    """
    if answer_format.count("{answer}") != 1:
        raise DataError(f"answer_format must hold '{{answer}}' once, got {answer_format!r}")
    operation, a, b = parse(problem)
    final = answer_format.replace("{answer}", problem.answer)
    return {style: f"{work(style, operation, a, b)} {final}" for style in STYLES}


def style_of(problem: Problem, completion: str) -> str:
    """The style in which a completion works a problem out, or "other".

    It is the style of whose worked solution most sentences, from the first on, stand in the
    completion; of several, the one that `STYLES` names first. What follows them may differ, since a
    style is chosen where a solution begins.

    Args:
        problem: one of `make_problems`.
        completion: whole or not, right or wrong.

    >>> problem = make_problems(0, 1, operations=("add",))[0]
    >>> style_of(problem, "86 + 4 = 90. 67 - 4 = 63. So 153.")
    'round'
    """
    operation, a, b = parse(problem)
    text = " " + " ".join(completion.split())
    begun = {style: _sentences(work(style, operation, a, b), text) for style in STYLES}
    style = max(begun, key=lambda name: begun[name])
    return style if begun[style] else "other"


def _sentences(worked: str, text: str) -> int:
    """How many sentences of a worked solution, from the first on, stand together in a text."""
    ends = [place + 1 for place, sign in enumerate(worked) if sign == "."]
    return max((n for n, end in enumerate(ends, 1) if f" {worked[:end]}" in text), default=0)


def parse(problem: Problem) -> tuple[Operation, int, int]:
    """Read operation and numbers back from a problem's statement.

    Raises:
        DataError: if it is not a question of `make_problems`.
    """
    match = _QUESTION.fullmatch(problem.problem)
    if match is None:
        raise DataError(
            f"problem {problem.id!r} is not one of the arithmetic ones: {problem.problem[:60]!r}"
        )
    return _OPERATION_OF[match[2]], int(match[1]), int(match[3])
