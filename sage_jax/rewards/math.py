r"""Judging a math answer against the gold one.

Both sides are handed to math-verify inside `\boxed{}` and read as LaTeX only: given bare, it takes
many answers for a fragment of themselves. Two plain numbers are compared exactly, without it.
"""

import logging
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sage_jax.rewards.answers import boxes, extract, oversized
from sage_jax.rewards.numbers import plain_number

CORRECT = "correct"
WRONG = "wrong"
NO_ANSWER = "no_answer"
UNREADABLE = "unreadable"
UNREADABLE_GOLD = "unreadable_gold"
DEADLINE = "deadline"
MEMORY = "memory"
CRASHED = "crashed"

# Twelve decimals, not math-verify's six: a rounded answer is a wrong one.
_DECIMALS = 12
_BASE = re.compile(r"(?<=\d)_\{?\s*(\d+)")
_NEGATION = re.compile(
    r"\b(?:not|never|neither|nor|isn.?t|wrong|incorrect|cannot|can.?t)\b|\\neq?\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Verdict:
    """What the verifier says of one completion.

    Attributes:
      reward: 1.0 if the reason is "correct", else 0.0.
      reason: "correct", "wrong", "no_answer" (no box and none stated), "unreadable" (not
        mathematics, or over the limits of size), "unreadable_gold", "deadline" (the worker was
        killed), "memory" (it ran into its memory limit) or "crashed" (it died twice on this).
      seconds: time the judgement took.
    """

    reward: float
    reason: str
    seconds: float

    @classmethod
    def of(cls, reason: str, seconds: float = 0.0) -> "Verdict":
        """Make the verdict that goes with a reason."""
        return cls(float(reason == CORRECT), reason, seconds)


@lru_cache(maxsize=1)
def _library() -> tuple[Any, Any, Any]:
    """Import math-verify, silence its loggers (they print whole completions), make its config."""
    from math_verify import LatexExtractionConfig, parse, verify

    for name in ("math_verify", "latex2sympy2_extended"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    config = LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False)
    return parse, verify, config


def _parse(answer: str) -> list[Any]:
    parse, _, config = _library()
    # No timeout of the library's: its alarm fails outside the main thread and cannot stop C code.
    return parse(rf"\boxed{{{answer}}}", extraction_config=[config], parsing_timeout=None)


def _equal(gold: list[Any], answer: list[Any]) -> bool:
    _, verify, _ = _library()
    return bool(verify(gold, answer, float_rounding=_DECIMALS, timeout_seconds=None))


def _contradicts(answer: str, gold: str) -> bool:
    """Whether the answer names another number base, or negates where the gold does not."""
    bases, gold_bases = _BASE.findall(answer), _BASE.findall(gold)
    if bases and bases != gold_bases:
        return True
    return bool(_NEGATION.search(answer)) and not _NEGATION.search(gold)


def glance(answer: str, gold: str) -> str | None:
    """Give the reason where no mathematics need be parsed, else None."""
    if oversized(gold) or not gold.strip() or boxes(rf"\boxed{{{gold}}}") != [gold]:
        return UNREADABLE_GOLD
    if oversized(answer):
        return UNREADABLE
    number, gold_number = plain_number(answer), plain_number(gold)
    if number is not None and gold_number is not None:
        return CORRECT if number == gold_number else WRONG
    return WRONG if _contradicts(answer, gold) else None


def judge(answer: str, gold: str) -> str:
    r"""Compare an extracted answer with the gold one and give the reason for the verdict.

    Both are bare, without `\boxed{}`. May take unbounded time on hostile input: in training it
    runs in a worker process under a deadline (`VerifierPool`).

    >>> judge(r"\frac{1}{2}", "0.5"), judge("0.333333", r"\frac{1}{3}"), judge("52_9", "52_8")
    ('correct', 'wrong', 'wrong')
    """
    seen = glance(answer, gold)
    return seen if seen is not None else _judge_parsed(answer, gold)


def _judge_parsed(answer: str, gold: str) -> str:
    gold_parsed = _parse(gold)
    if not gold_parsed:
        return UNREADABLE_GOLD
    parsed = _parse(answer)
    if parsed and _equal(gold_parsed, parsed):
        return CORRECT
    # Only text came back: math-verify found no mathematics in it.
    return UNREADABLE if all(isinstance(item, str) for item in parsed) else WRONG


def score(completion: str, gold: str) -> Verdict:
    r"""Judge a completion's final answer in this process, without a deadline.

    reward = 1 iff the answer (see `answers.extract`) equals the gold one in value. For text of a
    model use `VerifierPool`, which gives the same verdicts and survives hostile text.

    Args:
      completion: what the model wrote.
      gold: the right answer, bare, without `\boxed{}` or `$`.

    >>> score(r"Half of it, so $\boxed{\frac{1}{2}}$.", "0.5").reason
    'correct'
    """
    started = time.perf_counter()
    answer = extract(completion)
    reason = NO_ANSWER if answer is None else judge(answer, gold)
    return Verdict.of(reason, time.perf_counter() - started)


def readable(gold: str) -> bool:
    r"""Whether the verifier can read a gold answer: given back in a box, it must be correct.

    >>> readable(r"\frac{1}{2}"), readable(r"\frac{1}{2")
    (True, False)
    """
    return score(rf"\boxed{{{gold}}}", gold).reason == CORRECT
