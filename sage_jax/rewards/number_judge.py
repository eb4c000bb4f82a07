r"""Judging where every answer is a plain number: nothing is parsed as mathematics.

Of a question such as "What is 37 + 13?" the box `\boxed{37 + 13}` has the right value and is no
answer; a verifier of mathematics accepts it, and a policy would soon learn to copy the question.
"""

import re
import time
from collections.abc import Sequence
from fractions import Fraction

from sage_jax.rewards.answers import TAIL, extract, oversized
from sage_jax.rewards.math import CORRECT, NO_ANSWER, UNREADABLE, WRONG, Verdict
from sage_jax.rewards.numbers import is_quotient, number_of, plain_number
from sage_jax.rewards.thinking import after_thinking
from sage_jax.rewards.tidy import tidy

_NUMBER = re.compile(r"(?<![\w.])-?\d{1,30}(?:\.\d{1,30})?(?![\w.]*\d)")


class NumberJudge:
    r"""Scores 1 where the final answer is written as a number and equals the gold one.

    The final answer is what `answers.extract` finds (the last box, or a stated answer), and
    without any the last number behind the thoughts. Has the methods of `VerifierPool` and needs no
    processes, since nothing here can take long.

    >>> judge = NumberJudge()
    >>> texts = [r"\boxed{50}", r"\boxed{37 + 13}", "37 + 13 = 50", "37 + 13", "fifty"]
    >>> [verdict.reason for verdict in judge.score([(text, "50") for text in texts])]
    ['correct', 'unreadable', 'correct', 'wrong', 'no_answer']
    """

    def score(self, pairs: Sequence[tuple[str, ...]]) -> list[Verdict]:
        """Judge (completion, gold) pairs, in order; a question behind them is not needed."""
        return [_verdict(completion, gold) for completion, gold, *_ in pairs]

    def answer(self, completion: str) -> str | None:
        """The final answer that is judged, or None if there is none."""
        return final_number(completion)

    def close(self) -> None:
        """There is nothing to let go of."""


def final_number(completion: str) -> str | None:
    """The stated final answer, or else the last number behind the thoughts, or None.

    >>> final_number("20 - 13 = 7."), final_number("none"), final_number("<think>20 - 13 = 7")
    ('7', None, None)
    """
    stated = extract(completion)
    if stated is not None:
        return stated
    numbers = _NUMBER.findall((after_thinking(completion) or "")[-TAIL:])
    return numbers[-1] if numbers else None


def _verdict(completion: str, gold: str) -> Verdict:
    started = time.perf_counter()
    answer = final_number(completion)
    reason = NO_ANSWER if answer is None else _reason(answer, plain_number(gold))
    return Verdict.of(reason, time.perf_counter() - started)


def _reason(answer: str, gold: Fraction | None) -> str:
    said = None if oversized(answer) else tidy(answer)
    if said is None or (number := number_of(said)) is None:
        return UNREADABLE
    # 84/2 of "What is 84 / 2?" is still to be worked out.
    unevaluated = number.denominator == 1 and is_quotient(said)
    return CORRECT if number == gold and not unevaluated else WRONG
