"""Sampling a model on held-out problems and counting what is right."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from sage_jax.data.tasks import Prompts, Task
from sage_jax.evaluate.completions import Completion
from sage_jax.evaluate.counting import count
from sage_jax.evaluate.problem_result import ProblemResult
from sage_jax.parallel import hosts, local_rows
from sage_jax.rollout import Finish, Rollout
from sage_jax.run.judging import Outcome, judge
from sage_jax.run.stored import Stored

Sampler = Callable[[jax.Array, jax.Array, jax.Array], Rollout]
"""(prompt_tokens [N, P], prompt_mask [N, P], key) -> Rollout, with a group size of its own."""


def evaluate(
    sampler: Sampler,
    task: Task,
    prompts: Prompts,
    key: jax.Array,
    *,
    num_samples: int,
    group_size: int,
    batch_prompts: int,
    stored: Stored,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[ProblemResult, ...]:
    """Sample `num_samples` completions of each prompt and judge them. A collective.

    Args:
        sampler: draws a group of completions of each prompt; called with batches of one shape,
            the last one filled up with copies that are neither judged nor counted.
        task: the judge.
        prompts: Q held-out problems.
        key: batch b, of which f samples are drawn, draws more with key folded with b, then f.
        num_samples: n, a multiple of `group_size`.
        group_size: completions of a prompt that the sampler draws at once.
        batch_prompts: problems sampled at once.
        stored: where parts lie that are not to be sampled again, and others are put.
        progress: called with (completions done, n Q), first with those that were there.

    Raises:
        ValueError: n is no multiple of the group size.
    """
    if num_samples % group_size:
        raise ValueError(f"num_samples {num_samples} is not a multiple of group_size {group_size}")
    total = num_samples * len(prompts.ids)
    rows: list[Completion] = []
    for number, part in enumerate(_parts(prompts, batch_prompts, num_samples, group_size)):
        known = stored.read(number)
        if known is None:
            known = _sampled(sampler, task, part, jax.random.fold_in(key, part.index))
            stored.write(number, known)
        # Text is much, and not counted.
        rows += (dataclasses.replace(row, completion="") for row in known)
        progress(len(rows), total)
    return count(rows, {"": {id: task.gold(id) for id in prompts.ids}})[""]


class Part(NamedTuple):
    """Completions that are sampled at once.

    Attributes:
        prompts: of exactly the batch's size.
        real: how many of them are not filling.
        index: of the batch.
        first: number of each problem's first sample among all of its own.
    """

    prompts: Prompts
    real: int
    index: int
    first: int


def _parts(prompts: Prompts, size: int, num_samples: int, group_size: int) -> Iterator[Part]:
    for index, (batch, real) in enumerate(batches(prompts, size)):
        for first in range(0, num_samples, group_size):
            yield Part(batch, real, index, first)


def batches(prompts: Prompts, size: int) -> Iterator[tuple[Prompts, int]]:
    """Batches of exactly `size` problems, and how many of each are not filling."""
    total = len(prompts.ids)
    for start in range(0, total, size):
        places = np.arange(start, start + size) % total
        yield prompts.take(places), min(size, total - start)


def _sampled(sampler: Sampler, task: Task, part: Part, key: jax.Array) -> list[Completion]:
    batch = part.prompts
    rollout = sampler(batch.tokens, batch.mask, jax.random.fold_in(key, part.first))  # type: ignore[arg-type]
    outcome = judge(task, batch, rollout, count=part.real)
    texts, size = _texts(task, batch, rollout, count=part.real), rollout.group_size
    return [
        _completion(outcome, row, texts[row], batch.ids[row // size], part.first + row % size)
        for row in range(len(texts))
    ]


def _completion(outcome: Outcome, row: int, text: str, id: str, sample: int) -> Completion:
    judged = outcome.judged
    return Completion(
        id=id,
        sample=sample,
        completion=text,
        answer=judged.answers[row] or None,
        correct=bool(judged.correct[row]),
        reward=float(judged.rewards[row]),
        reason=judged.reasons[row],
        mode=judged.modes[row] if judged.modes else "",
        length=int(outcome.lengths[row]),
        truncated=bool(outcome.finish[row] == Finish.LENGTH),
    )


def _texts(task: Task, prompts: Prompts, rollout: Rollout, *, count: int) -> list[str]:
    """The completions of the first `count` prompts as they are judged. A collective."""
    rows, tokens = local_rows(rollout.tokens)
    mask, last = local_rows(rollout.mask)[1] > 0, count * rollout.group_size
    held = zip(rows.tolist(), tokens, mask, strict=True)
    own = [
        (row, task.judged_text(ids[kept], prompts.ids[row // rollout.group_size]))
        for row, ids, kept in held
        if row < last
    ]
    return [text for _, text in sorted(tuple(one) for part in hosts.gather(own) for one in part)]
