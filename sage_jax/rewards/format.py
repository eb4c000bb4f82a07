r"""Rewards for the form of a completion, whatever its answer."""

import re

from sage_jax.rewards.boxes import boxes
from sage_jax.rewards.thinking import after_thinking


def boxed_once(completion: str) -> float:
    r"""Reward 1 if exactly one non-empty `\boxed{...}` follows the thinking part, else 0.

    >>> boxed_once(r"So \boxed{7}."), boxed_once(r"\boxed{7} or \boxed{8}"), boxed_once("7")
    (1.0, 0.0, 0.0)
    """
    said = after_thinking(completion)
    return float(said is not None and [bool(box.strip()) for box in boxes(said)] == [True])


def matches(completion: str, pattern: str | re.Pattern[str]) -> float:
    r"""Reward 1 if the whole completion matches the pattern (a dot matches newlines too), else 0.

    The pattern is the user's own; keep it free of nested repetition, as it meets any text.

    >>> matches("<think>hm</think> 7", r"<think>.*</think>\s*\d+")
    1.0
    """
    return float(re.compile(pattern, re.DOTALL).fullmatch(completion) is not None)
