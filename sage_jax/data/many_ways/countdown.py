"""Reach a number from others by arithmetic; a mode is an expression up to order and brackets."""

import ast
import itertools
import operator
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from sage_jax.data.many_ways.domain import Domain, Facts

# Numbers, their greatest, and operations of each level.
_LEVELS = {
    1: (3, 16, "+-*"),
    2: (3, 30, "+-*"),
    3: (4, 6, "+-*"),
    4: (4, 12, "+-*"),
    5: (4, 25, "+-*/"),
}
_TYPED = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})
_LONGEST = 120
_KINDS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_APPLY = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


class Term(NamedTuple):
    """An expression.

    Attributes:
        value: what it comes to.
        sign: of the operation; empty for a number alone.
        operands: the two expressions that it is made of, or none.
    """

    value: int
    sign: str = ""
    operands: tuple["Term", ...] = ()

    @property
    def numbers(self) -> list[int]:
        """The numbers in it."""
        return [n for one in self.operands for n in one.numbers] if self.sign else [self.value]

    @property
    def text(self) -> str:
        """As it is written, with brackets around all inner operations."""
        if not self.sign:
            return str(self.value)
        written = [f"({one.text})" if one.sign else one.text for one in self.operands]
        return f" {self.sign} ".join(written)

    @property
    def mode(self) -> str:
        """The same for all expressions that differ in order and brackets alone."""
        return f"({' '.join(self.parts(_kind(self.sign)))})" if self.sign else str(self.value)

    def parts(self, kind: str) -> list[str]:
        """Terms of a sum (`+`) or factors of a product (`*`), each behind its sign, sorted."""
        if not self.sign or _kind(self.sign) != kind:
            return [kind + self.mode]
        left, right = (one.parts(kind) for one in self.operands)
        if self.sign != kind:
            turned = {kind: self.sign, self.sign: kind}
            right = [turned[part[0]] + part[1:] for part in right]
        return sorted(left + right)


def _kind(sign: str) -> str:
    return "+" if sign in "+-" else "*"


def combine(left: Term, sign: str, right: Term) -> Term | None:
    """Two expressions as one; None for a division that leaves a rest."""
    if sign == "/" and (right.value == 0 or left.value % right.value):
        return None
    return Term(_APPLY[sign](left.value, right.value), sign, (left, right))


def draw(generator: np.random.Generator, level: int) -> Facts:
    """Numbers, and a target that some expression of them has."""
    count, most, signs = _LEVELS[level]
    numbers = sorted(int(n) for n in generator.integers(1, most + 1, count))
    terms = [Term(n) for n in generator.permutation(numbers).tolist()]
    total: Term | None = terms[0]
    for term in terms[1:]:
        total = total and combine(total, signs[int(generator.integers(len(signs)))], term)
    return {"numbers": numbers, "target": total.value if total else -1, "signs": signs}


def ask(facts: Facts) -> str:
    """The statement."""
    numbers, signs = ", ".join(map(str, facts["numbers"])), ", ".join(facts["signs"])
    return (
        f"Write an expression that equals {facts['target']}, with each of the numbers {numbers} "
        f"exactly once, the operations {signs}, and brackets where you need them."
        + " Every division must come out whole."
        * ("/" in facts["signs"])
    )


def mode(facts: Facts, answer: str) -> str | None:
    """The expression up to order and brackets, where it is right."""
    found = read(answer, signs=facts["signs"])
    if found is None or Counter(found.numbers) != Counter(facts["numbers"]):
        return None
    return found.mode if found.value == facts["target"] else None


def read(text: str, *, signs: str = "+-*/") -> Term | None:
    """An expression of whole numbers and these operations; None for anything else.

    >>> read("2*(3 + 4)").mode == read("(4+3)*2").mode, read("2**3")
    (True, None)
    """
    text = text.translate(_TYPED).split("=")[0].strip()
    if len(text) > _LONGEST:
        return None
    try:
        return _of_tree(ast.parse(text, mode="eval").body, signs)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _of_tree(node: Any, signs: str) -> Term | None:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Term(node.value)
    if not isinstance(node, ast.BinOp):
        return None
    sign = _KINDS.get(type(node.op), "")
    if not sign or sign not in signs:
        return None
    left, right = _of_tree(node.left, signs), _of_tree(node.right, signs)
    return combine(left, sign, right) if left and right else None


def answers(facts: Facts) -> Iterator[str]:
    """One expression of each mode."""
    seen = set()
    for term in _all([Term(n) for n in facts["numbers"]], facts["signs"]):
        if term.value == facts["target"] and term.mode not in seen:
            seen.add(term.mode)
            yield term.text


def _all(terms: list[Term], signs: str) -> Iterator[Term]:
    """Every expression of all the terms."""
    if len(terms) == 1:
        yield terms[0]
    for i, j in itertools.permutations(range(len(terms)), 2):
        rest = [term for place, term in enumerate(terms) if place not in (i, j)]
        for sign in signs:
            if i < j or sign in "-/":  # Sums and products of two are the same both ways.
                made = combine(terms[i], sign, terms[j])
                yield from _all([*rest, made], signs) if made else ()


COUNTDOWN = Domain(draw, ask, mode, answers)
