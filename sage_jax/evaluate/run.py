"""Sampling a model on held-out problems and counting what is right."""

from collections.abc import Callable, Iterator

import jax
import numpy as np

from sage_jax.data.judging import judge
from sage_jax.data.tasks import Judged, Prompts, Task
from sage_jax.evaluate.results import EvalResult, ProblemResult, tally
from sage_jax.rewards import LOST
from sage_jax.rollout import Finish, Rollout

Sampler = Callable[[jax.Array, jax.Array, jax.Array], Rollout]
"""(prompt_tokens [N, P], prompt_mask [N, P], key) -> Rollout, with a group size of its own."""


def evaluate(
    sampler: Sampler,
    task: Task,
    key: jax.Array,
    *,
    num_problems: int,
    num_samples: int,
    batch_prompts: int,
    tag: str,
    step: int,
    name: str,
    seed: int,
    temperature: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EvalResult:
    """Sample `num_samples` completions of each held-out problem and judge them.

    Args:
        sampler: draws a group of completions of each prompt; called with batches of one shape,
            the last one filled up with copies that are not counted.
        task: the problems and the judge.
        key: batch b, repeat r draws with key folded with b, then r.
        num_problems: Q, the first of the held-out problems.
        num_samples: n, a multiple of the sampler's group size.
        batch_prompts: problems sampled at once.
        tag: name of the result, e.g. "base".
        step: training step of the model.
        name: of the task, for the report.
        seed: that the key came from, for the record.
        temperature: of the sampling, for the record.
        progress: called with (problems done, Q).
    """
    prompts = task.held_out(num_problems)
    problems: list[ProblemResult] = []
    lengths: list[float] = []
    truncated: list[float] = []
    lost: list[bool] = []
    for index, (batch, real) in enumerate(_batches(prompts, batch_prompts)):
        batch_key = jax.random.fold_in(key, index)
        outcomes = [judge(task, batch, rollout)
                    for rollout in _samples(sampler, batch, batch_key, num_samples)]  # fmt: skip
        for outcome in outcomes:
            rows = real * (len(outcome.lengths) // len(batch.ids))
            lengths.extend(outcome.lengths[:rows])
            truncated.extend(outcome.finish[:rows] == Finish.LENGTH)
            lost.extend(reason in LOST for reason in outcome.judged.reasons[:rows])
        judged = [outcome.judged for outcome in outcomes]
        problems += [_result(task, batch.ids[place], judged, place, len(batch.ids))
                     for place in range(real)]  # fmt: skip
        progress(len(problems), len(prompts.ids))
    return EvalResult(
        tag=tag,
        step=step,
        task=name,
        samples=num_samples,
        seed=seed,
        temperature=temperature,
        problems=tuple(problems),
        mean_length=float(np.mean(lengths)),
        truncated=float(np.mean(truncated)),
        lost=float(np.mean(lost)),
    )


def _batches(prompts: Prompts, size: int) -> Iterator[tuple[Prompts, int]]:
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
    answers, correct = [], []
    for part in judged:
        size = len(part.answers) // count
        answers += part.answers[place * size : (place + 1) * size]
        correct += part.correct[place * size : (place + 1) * size].tolist()
    gold = task.gold(id)
    if not gold:  # Nothing to take a majority of.
        return ProblemResult(id, sum(correct), len(correct))
    return tally([answer or None for answer in answers], correct, id=id, gold=gold)
