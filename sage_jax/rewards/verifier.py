"""What the verifier's workers answer: one extracted answer against its gold."""

from collections.abc import Callable
from typing import Any

from sage_jax.rewards.math import CORRECT, judge

_WARM_UP = ((r"\frac{1}{2}+x", r"x+\frac{2}{4}"), (r"\sqrt{8}", r"2\sqrt{2}"), ("(1,2]", "(1,2]"))


def make() -> Callable[..., dict[str, Any]]:
    """See that mathematics is read, and give what judges it. For a worker process alone.

    Raises:
        RuntimeError: if math-verify does not find equal what is.
    """
    for gold, text in _WARM_UP:
        if judge(text, gold) != CORRECT:
            raise RuntimeError(f"math-verify does not find {text} equal to {gold}")
    _forbid_evaluation()
    return answer


def answer(answer: str, gold: str, question: str = "") -> dict[str, Any]:
    """The reason for the verdict on an answer."""
    return {"reason": judge(answer, gold, question)}


def _forbid_evaluation() -> None:
    """Take out the one way in sympy from text to Python's eval; nothing here needs it."""
    from sympy.parsing import sympy_parser

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("text is not evaluated")

    sympy_parser.parse_expr = sympy_parser.eval_expr = refuse
