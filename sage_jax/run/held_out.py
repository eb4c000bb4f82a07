"""Sampling a model on held-out problems and counting what is right."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from sage_jax.data.tasks import Judged, Prompts, Task
from sage_jax.evaluate.modes import counted
from sage_jax.evaluate.problem_result import ProblemResult, tally
from sage_jax.rewards import LOST
from sage_jax.rollout import Finish, Rollout
from sage_jax.run.judging import Outcome, judge

Sampler = Callable[[jax.Array, jax.Array, jax.Array], Rollout]
"""(prompt_tokens [N, P], prompt_mask [N, P], key) -> Rollout, with a group size of its own."""


class Found(NamedTuple):
    """What completions of held-out problems were.

    Attributes:
        problems: how many of each were right, and their answers.
        mean_length: in tokens.
        truncated: share that ran out of room.
        lost: share whose verdict was lost.
    """

    problems: tuple[ProblemResult, ...]
    mean_length: float
    truncated: float
    lost: float


def evaluate(
    sampler: Sampler,
    task: Task,
    prompts: Prompts,
    key: jax.Array,
    *,
    num_samples: int,
    batch_prompts: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """Sample `num_samples` completions of each prompt and judge them.

    Args:
        sampler: draws a group of completions of each prompt; called with batches of one shape,
            the last one filled up with copies that are neither judged nor counted.
        task: the judge.
        prompts: Q held-out problems.
        key: batch b, repeat r draws with key folded with b, then r.
        num_samples: n, a multiple of the sampler's group size.
        batch_prompts: problems sampled at once.
        progress: called with (problems done, Q).
    """
    problems: list[ProblemResult] = []
    seen: list[Outcome] = []
    for index, (batch, real) in enumerate(batches(prompts, batch_prompts)):
        batch_key = jax.random.fold_in(key, index)
        outcomes = [
            judge(task, batch, rollout, count=real)
            for rollout in _samples(sampler, batch, batch_key, num_samples)
        ]
        judged = [outcome.judged for outcome in outcomes]
        problems += [_result(task, batch.ids[place], judged, place, real) for place in range(real)]
        seen += outcomes
        progress(len(problems), len(prompts.ids))
    outcome = Outcome.join(seen)
    return Found(
        tuple(problems),
        float(outcome.lengths.mean()),
        float((outcome.finish == Finish.LENGTH).mean()),
        float(np.mean([reason in LOST for reason in outcome.judged.reasons])),
    )


def batches(prompts: Prompts, size: int) -> Iterator[tuple[Prompts, int]]:
    """Batches of exactly `size` problems, and how many of each are not filling."""
    total = len(prompts.ids)
    for start in range(0, total, size):
        places = np.arange(start, start + size) % total
        yield prompts.take(places), min(size, total - start)


def _samples(
    sampler: Sampler, batch: Prompts, key: jax.Array, num_samples: int
) -> Iterator[Rollout]:
    drawn = 0
    while drawn < num_samples:
        rollout = sampler(batch.tokens, batch.mask, jax.random.fold_in(key, drawn))  # type: ignore[arg-type]
        drawn += rollout.group_size
        yield rollout
    if drawn != num_samples:
        raise ValueError(f"num_samples {num_samples} is not a multiple of the sampler's group size")


def _result(task: Task, id: str, judged: list[Judged], place: int, count: int) -> ProblemResult:
    """One problem's counts over all its groups."""
    answers, correct, modes = [], [], []
    for part in judged:
        size = len(part.answers) // count
        own = slice(place * size, (place + 1) * size)
        answers += part.answers[own]
        correct += part.correct[own].tolist()
        modes += part.modes[own]
    found, gold = ProblemResult(id, sum(correct), len(correct)), task.gold(id)
    if gold:  # Else there is nothing to take a majority of.
        found = tally([answer or None for answer in answers], correct, id=id, gold=gold)
    return dataclasses.replace(found, modes=counted(modes))
