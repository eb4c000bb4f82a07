r"""Judging a math answer against the gold one.

Both are tidied, read by their outer shape (`reading`) and compared part by part (`comparing`). Only
expressions that are no plain numbers reach the math library (`expressions`), in a worker process.
"""

import time
from dataclasses import dataclass

from sage_jax.rewards.answers import extract, oversized
from sage_jax.rewards.boxes import boxes
from sage_jax.rewards.comparing import Expressions, agree, doubtful
from sage_jax.rewards.expressions import Library, Unreadable, UnreadableGold
from sage_jax.rewards.golds import (
    bare,
    expressions,
    is_wordlike,
    other_spelling,
    unqualified,
    why_not,
)
from sage_jax.rewards.numbers import number_of
from sage_jax.rewards.reading import read
from sage_jax.rewards.tidy import squeezed, tidy

QUESTION = 10_000
"""Characters of a question that are looked at."""

CORRECT = "correct"
WRONG = "wrong"
NO_ANSWER = "no_answer"
UNREADABLE = "unreadable"
UNREADABLE_GOLD = "unreadable_gold"
DEADLINE = "deadline"
MEMORY = "memory"
CRASHED = "crashed"

LOST = frozenset({DEADLINE, MEMORY, CRASHED})
"""Reasons of a verdict that was not reached; the answer may have been right."""


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

    @property
    def lost(self) -> bool:
        """Whether no verdict was reached: a deadline, the memory limit or a crash."""
        return self.reason in LOST

    @classmethod
    def of(cls, reason: str, seconds: float = 0.0) -> "Verdict":
        """Make the verdict that goes with a reason."""
        return cls(float(reason == CORRECT), reason, seconds)


class _Unsettled(Exception):
    """The expressions must be read as mathematics to tell."""


class _Glance:
    """Says of expressions only what needs no mathematics."""

    def same(self, gold: str, answer: str) -> bool:
        if squeezed(gold) != squeezed(answer):
            raise _Unsettled
        return True

    def same_equation(self, gold: tuple[str, str], answer: tuple[str, str]) -> bool:
        raise _Unsettled


def glance(answer: str, gold: str, question: str = "") -> str | None:
    """Give the reason where no mathematics need be parsed, else None. Linear in its arguments."""
    try:
        return _judge(answer, gold, question, _Glance())
    except _Unsettled:
        return None


def judge(answer: str, gold: str, question: str = "") -> str:
    r"""Compare an extracted answer with the gold one and give the reason for the verdict.

    Both are bare, without `\boxed{}`. May take unbounded time on hostile input: in training it
    runs in a worker process under a deadline (`VerifierPool`).

    >>> judge(r"\frac{1}{2}", "0.5"), judge("0.333333", r"\frac{1}{3}"), judge("52_9", "52_8")
    ('correct', 'wrong', 'wrong')
    """
    return _judge(answer, gold, question, Library())


def _judge(answer: str, gold: str, question: str, expressions: Expressions) -> str:
    answer, gold = unqualified(answer), bare(gold)
    right = None if oversized(gold) else tidy(gold)
    if not right or boxes(rf"\boxed{{{gold}}}") != [gold]:
        return UNREADABLE_GOLD
    said = None if oversized(answer) else tidy(answer)
    if not said:
        return UNREADABLE
    if squeezed(said) == squeezed(right):
        return CORRECT
    if doubtful(said, right) or copied(said, right, question):
        return WRONG
    try:
        readings = read(right, is_gold=True), read(said, is_gold=False)
        return CORRECT if agree(*readings, expressions) else WRONG
    except Unreadable:
        return UNREADABLE
    except UnreadableGold:
        return UNREADABLE_GOLD


def copied(answer: str, gold: str, question: str) -> bool:
    r"""Whether a tidied answer is an expression of the question that the gold was made from.

    To "Simplify $\sqrt{452}$" the right value is no answer while it stands as in the question. A
    plain number, a name, and what the gold is spelt like, too, may well stand in a question.

    >>> copied(r"\sqrt{452}", r"2\sqrt{113}", r"Simplify $\sqrt{452}$.")
    True
    """
    asked, said = squeezed(tidy(question[:QUESTION]) or ""), squeezed(answer)
    if not asked or said not in asked or squeezed(gold) in asked:
        return False
    return number_of(answer) is None and not answer.replace(" ", "").isalnum()


def score(completion: str, gold: str, question: str = "") -> Verdict:
    r"""Judge a completion's final answer in this process, without a deadline.

    reward = 1 iff the answer (see `answers.extract`) equals the gold one in value. For text of a
    model use `VerifierPool`, which gives the same verdicts and survives hostile text.

    Args:
        completion: what the model wrote.
        gold: the right answer, bare, without `\boxed{}` or `$`.
        question: the problem, if an expression copied from it is to be told (see `copied`).

    >>> score(r"Half of it, so $\boxed{\frac{1}{2}}$.", "0.5").reason
    'correct'
    """
    started = time.perf_counter()
    answer = extract(completion)
    reason = NO_ANSWER if answer is None else judge(answer, gold, question)
    return Verdict.of(reason, time.perf_counter() - started)


def readable(gold: str) -> bool:
    r"""Whether a natural answer, and not only a copy of the gold, can be found correct.

    See `golds`: a placeholder, a whole solution, or an expression that cannot be parsed is not.

    >>> readable(r"\frac{1}{2}"), readable(r"\frac{1}{2"), readable("N/A")
    (True, False, False)
    """
    if why_not(gold) is not None:
        return False
    return all(is_read(score(asked, part).reason, part) for asked, part in natural(gold))


def natural(gold: str) -> list[tuple[str, str]]:
    r"""Completions, with the golds they are judged by, that must be read for a gold to be of use.

    >>> natural("x+1")
    [('\\boxed{x+1}', 'x+1'), ('\\boxed{0 + x+1}', 'x+1')]
    """
    parts = [(rf"\boxed{{{other_spelling(part)}}}", part) for part in expressions(gold)]
    return [(rf"\boxed{{{bare(gold)}}}", gold), *parts]


def is_read(reason: str, gold: str) -> bool:
    """Whether the verdict on one of `natural` shows that the gold can be equalled.

    Both sides are equal by making; mathematics is "wrong" where its value is nowhere finite.
    """
    return reason == CORRECT or (reason == WRONG and not is_wordlike(gold))
