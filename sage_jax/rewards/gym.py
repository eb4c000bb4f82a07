r"""Answers scored by the data set of Reasoning Gym that their problem is drawn from.

Some of its scorers read an answer by Python's `eval`, or by sympy, which calls it. What a model
wrote reaches those only where it can call nothing: see `harmless`. Needs no jax, since worker
processes score.
"""

import ast
import functools
import importlib
import re
from typing import Any

from sage_jax.rewards.answers import TAIL, extract
from sage_jax.rewards.boxes import boxes, unnested
from sage_jax.rewards.thinking import after_thinking

# As of version 0.1.25, whose sources were read for it.
_BY_EVAL = frozenset({"binary_matrix", "n_queens", "spiral_matrix", "string_insertion"})
_BY_SYMPY = frozenset({"countdown", "intermediate_integration", "simple_integration"})
_FUNCTIONS = (
    "Abs|abs|acos|acot|asin|atan|cos|cosh|cot|coth|csc|exp|ln|log|pi|sec|sin|sinh|sqrt|tan|tanh"
)
# Numbers, letters, functions of mathematics and signs: no attribute, no text, no other name.
_EXPRESSION = re.compile(rf"(?:\d+(?:\.\d+)?|(?:{_FUNCTIONS}|[A-Za-z])(?![A-Za-z_])|[-+*/^(), ])*")
_TEXT = re.compile(r"\\(?:text|textbf|mathrm|texttt)\s?\{([^{}]*)\}")


def library() -> Any:
    """The module `reasoning_gym`.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return importlib.import_module("reasoning_gym")
    except ImportError as error:
        raise ValueError(
            f"{{use: reasoning_gym}} needs the package reasoning-gym: install sage-jax[tasks] "
            f"({error})"
        ) from None


def final(completion: str) -> str | None:
    r"""The final answer of a completion, as it is written, on several lines too.

    Of the last box that is not empty; else of the last `<answer>` tags; else what is stated.

    >>> final("<think>1</think>\\boxed{\\text{yes}}"), final("<answer>\n0 1\n1 0\n</answer>")
    ('yes', '0 1\n1 0')
    >>> final("The answer is 7."), final("Seven")
    ('7', None)
    """
    said = after_thinking(completion)
    if said is None:
        return None
    if boxed := [inside.strip() for inside in boxes(said[-TAIL:]) if inside.strip()]:
        inside = unnested(boxed[-1])
        text = _TEXT.fullmatch(inside)
        return text[1].strip() if text else inside
    return _in_tags(said) or extract(completion)


def _in_tags(text: str) -> str:
    """What the last `<answer>` tags hold: found from the end, so that it is linear."""
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, max(end, 0))
    return text[start + len("<answer>") : end].strip() if start >= 0 else ""


def harmless(name: str, answer: str) -> bool:
    """Whether a data set's scorer calls nothing that an answer names.

    >>> harmless("countdown", "2*(3 + 4)"), harmless("countdown", "exec(input())")
    (True, False)
    >>> harmless("n_queens", "_ Q"), harmless("n_queens", "exit()")
    (True, False)
    """
    if name in _BY_EVAL:
        return "(" not in answer  # Without it Python's expressions call nothing.
    return name not in _BY_SYMPY or _EXPRESSION.fullmatch(answer) is not None


def score(
    completion: str, *, problem: str, answer: str, data_set: str, options: str, metadata: str
) -> tuple[float, str]:
    """The data set's score of a completion's final answer, 0 to 1, and a word on it.

    Args:
        completion: by a model.
        problem: the statement.
        answer: one that is right; empty where the data set gives none.
        data_set: its name.
        options: a literal of Python, the data set's options.
        metadata: a literal of Python, the problem's.
    """
    found = final(completion)
    if found is None:
        return 0.0, "no_answer"
    if not harmless(data_set, found):
        return 0.0, "unreadable"
    entry = {
        "question": problem, "answer": answer or None, "metadata": ast.literal_eval(metadata)
    }  # fmt: skip
    try:
        given = float(_judge(data_set, options).score_answer(found, entry))
    except (MemoryError, RecursionError):
        raise  # The worker's, not the answer's.
    except Exception:  # Scorers raise whatever parsing a wrong form raises.
        return 0.0, "unreadable"
    value = min(max(given, 0.0), 1.0) if given == given else 0.0
    return value, "correct" if value > 0 else "wrong"


@functools.cache
def _judge(name: str, options: str) -> Any:
    """A data set that is there to score; its own problems do not matter."""
    return library().create_dataset(name, seed=0, size=1, **ast.literal_eval(options))
