r"""The rewards that a config can name, beside those of the user's own.

Each has one of the forms that `data.rewards` reads: a function of a completion, or what makes a
judge. The names below are all that a config may say.
"""

from typing import Any

from sage_jax.rewards import format as forms
from sage_jax.rewards import gym
from sage_jax.rewards.number_judge import NumberJudge
from sage_jax.rewards.pool import VerifierPool

__all__ = ["boxed", "matches", "math", "number", "overlong", "reasoning_gym"]


def math(*, num_workers: int = 2, deadline_s: float = 5.0) -> VerifierPool:
    """1 where the final answer equals the gold one in value, by worker processes.

    `num_workers` processes and `deadline_s` CPU seconds for one answer are `task.num_workers` and
    `task.deadline_s` of a config.
    """
    return VerifierPool(num_workers, deadline_s)


def number() -> NumberJudge:
    r"""1 where the final answer is written as a number and equals the gold one; no processes.

    >>> pairs = [(r"\boxed{50}", "50"), (r"\boxed{37 + 13}", "50")]
    >>> [verdict.reward for verdict in number().score(pairs)]
    [1.0, 0.0]
    """
    return NumberJudge()


def boxed(completion: str) -> float:
    r"""1 if exactly one non-empty `\boxed{...}` follows the thinking part, else 0.

    >>> boxed(r"<think>\boxed{4}?</think> \boxed{5}"), boxed(r"\boxed{4} or \boxed{5}")
    (1.0, 0.0)
    """
    return forms.boxed_once(completion)


def matches(completion: str, *, pattern: str) -> float:
    """1 if the whole completion matches a regular expression (a dot matches newlines), else 0.

    >>> matches("so it is 5", pattern=".*[0-9]"), matches("5, so it is", pattern=".*[0-9]")
    (1.0, 0.0)
    """
    return forms.matches(completion, pattern)


def overlong(tokens: Any, mask: Any, *, cache: int) -> Any:
    """0 up to T − `cache` tokens, and from there in a line down to −1 at T, the room there is.

    Soft overlong punishment (DAPO, arXiv 2503.14476, section 3.4). It stands beside a reward of the
    answer, which comes first: `reward: [math, {use: overlong, cache: 1024}]`.

    Args:
        tokens: [B, T].
        mask: [B, T], 1 on tokens of the completion.
        cache: tokens at the end of the room in which a completion is punished.

    Returns:
        [B].

    Raises:
        ValueError: for a `cache` that is not from 1 to T.

    >>> import numpy as np
    >>> mask = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]])
    >>> print(overlong(mask, mask, cache=2))  # 2, 3 and 4 tokens, of 4.
    [ 0.  -0.5 -1. ]
    """
    room = tokens.shape[1]
    if not 1 <= cache <= room:
        raise ValueError(f"cache is {cache}; it must be from 1 to the {room} tokens there are")
    return ((room - cache - mask.sum(axis=1)) / cache).clip(-1.0, 0.0)


def reasoning_gym(
    completion: str, problem: str, answer: str, data_set: str, options: str, metadata: str
) -> tuple[float, str]:
    r"""The score that a problem's data set gives the final answer, 0 to 1: of `reasoning_gym`.

    Its columns are those of the task of that name. The answer is what `\boxed{}` holds, else what
    `<answer>` tags do, else what is stated. Name it with `isolate: true`: some scorers hang.
    """
    return gym.score(
        completion,
        problem=problem,
        answer=answer,
        data_set=data_set,
        options=options,
        metadata=metadata,
    )
