r"""Judging where every answer is a plain number: nothing is parsed as mathematics.

Of a question such as "What is 37 + 13?" the box `\boxed{37 + 13}` has the right value and is no
answer; a verifier of mathematics accepts it, and a policy would soon learn to copy the question.
"""

import time
from collections.abc import Sequence

from sage_jax.rewards.answers import extract, oversized
from sage_jax.rewards.math import CORRECT, NO_ANSWER, UNREADABLE, WRONG, Verdict
from sage_jax.rewards.numbers import plain_number


class NumberJudge:
    r"""Scores 1 where the final answer is written as a number and equals the gold one.

    Has the methods of `VerifierPool` and needs no processes, since nothing here can take long.

    >>> judge = NumberJudge()
    >>> [v.reason for v in judge.score([(r"\boxed{50}", "50"), (r"\boxed{37 + 13}", "50")])]
    ['correct', 'unreadable']
    """

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """Judge (completion, gold) pairs, in order."""
        return [_verdict(completion, gold) for completion, gold in pairs]

    def close(self) -> None:
        """There is nothing to let go of."""


def _verdict(completion: str, gold: str) -> Verdict:
    started = time.perf_counter()
    answer = extract(completion)
    if answer is None:
        reason = NO_ANSWER
    elif oversized(answer) or (number := plain_number(answer)) is None:
        reason = UNREADABLE
    else:
        reason = CORRECT if number == plain_number(gold) else WRONG
    return Verdict.of(reason, time.perf_counter() - started)
