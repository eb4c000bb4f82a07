"""Verdicts on completions in words, by rewards and their weights."""

from collections.abc import Sequence

import numpy as np

from sage_jax.data.problem_set import Mode
from sage_jax.data.rewards import Batch, Reward
from sage_jax.data.tasks import Judged
from sage_jax.rewards import LOST, weighted_sum


def judge(batch: Batch, rewards: Sequence[Reward], mode: Mode | None = None) -> Judged:
    """Sum the rewards by weight. Correct is what the first of them says is.

    Args:
        batch: B completions.
        rewards: at least one.
        mode: tells ways of being right apart; a right completion of which it does not know the
            way has the mode "other". None where there is one way.

    Raises:
        RewardError, VerifierError: as `Reward.score`.
    """
    first, given = rewards[0], {one.name: one.score(batch) for one in rewards}
    parts = {name: one.rewards for name, one in given.items()}
    weights = {one.name: one.weight for one in rewards}
    total = np.asarray(weighted_sum(parts, weights=weights).total, np.float32)
    answers = [first.answer(text) or "" for text in batch.completions]
    words = zip(*(one.reasons for one in given.values()), strict=True)
    correct = first.correct(parts[first.name])
    return Judged(
        total, correct, answers, [*map(_reason, words)], parts, _modes(batch, correct, mode)
    )


def _modes(batch: Batch, correct: np.ndarray, mode: Mode | None) -> list[str]:
    if mode is None:
        return []
    rows = zip(batch.problems, batch.completions, correct, strict=True)
    return [(mode(one, text) or "other") if right else "" for one, text, right in rows]


def _reason(words: Sequence[str]) -> str:
    """The first reward's word, but a verdict that any of them lost goes before it."""
    return next((word for word in words if word in LOST), words[0])
