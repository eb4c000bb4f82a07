"""Collecting what one training step learns from: prompts, completions, rewards."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from sage_jax.data.tasks import Judged, Prompts, Task
from sage_jax.rollout import Finish, Rollout


class Played(NamedTuple):
    """One step's rollout, judged.

    Attributes:
        prompts: N prompts.
        rollout: N·G completions, arrays on the host.
        judged: their rewards.
        drawn: batches of prompts that it took.
        seconds: by phase, "rollout" and "reward".
        figures: metrics of everything that was sampled, whether it is kept or not.
    """

    prompts: Prompts
    rollout: Rollout
    judged: Judged
    drawn: int
    seconds: dict[str, float]
    figures: dict[str, float]


def play(
    task: Task,
    sample: Callable[[Prompts, int], Rollout],
    cursor: int,
    *,
    num_prompts: int,
    resample: int,
) -> Played:
    """Sample and judge a batch; with `resample`, replace groups whose rewards are all equal.

    Such groups have advantages of zero and teach nothing. Up to `resample` further batches are
    drawn; places still empty after that are filled with equal groups, so that shapes stay.

    Args:
        task: prompts and judge.
        sample: (prompts, attempt) -> Rollout.
        cursor: index of the first batch of prompts.
        num_prompts: N.
        resample: further batches allowed.
    """
    parts: list[Played] = []
    for attempt in range(resample + 1):
        parts.append(_once(task, sample, cursor + attempt, attempt, num_prompts))
        played = join(parts) if resample else parts[0]
        equal = equal_groups(played.judged.rewards, played.rollout.group_size)
        if (~equal).sum() >= num_prompts:
            break
    # Groups that differ first, in the order they were drawn.
    places = np.argsort(equal, kind="stable")[:num_prompts]
    seen = figures(played.rollout, played.judged, played.prompts.dropped)
    seen["groups/batches_drawn"] = float(len(parts))
    return (take(played, places) if resample else played)._replace(figures=seen)


def _once(task: Task, sample: Any, index: int, attempt: int, num_prompts: int) -> Played:
    prompts = task.train_prompts(index, num_prompts)
    begun = time.perf_counter()
    rollout = jax.tree.map(np.asarray, sample(prompts, attempt))
    sampled = time.perf_counter()
    judged = task.judge(prompts, rollout.tokens, rollout.mask)
    seconds = {"rollout": sampled - begun, "reward": time.perf_counter() - sampled}
    return Played(prompts, rollout, judged, 1, seconds, {})


def equal_groups(rewards: np.ndarray, group_size: int) -> np.ndarray:
    """bool[N]: which groups' rewards are all equal."""
    groups = rewards.reshape(-1, group_size)
    return groups.max(axis=1) == groups.min(axis=1)


def take(played: Played, places: np.ndarray) -> Played:
    """The groups at `places`, in that order."""
    size = played.rollout.group_size
    rows = (places[:, None] * size + np.arange(size)).ravel()
    by_prompt = {"prompt_tokens", "prompt_mask"}
    rollout = Rollout(**{
        field.name: getattr(played.rollout, field.name)[
            places if field.name in by_prompt else rows
        ]
        for field in dataclasses.fields(Rollout)
    })  # fmt: skip
    prompts, judged = played.prompts, played.judged
    return played._replace(
        prompts=Prompts([prompts.ids[p] for p in places], prompts.tokens[places],
                        prompts.mask[places], prompts.dropped),
        rollout=rollout,
        judged=Judged(judged.rewards[rows], judged.correct[rows],
                      [judged.answers[row] for row in rows],
                      [judged.reasons[row] for row in rows]),
    )  # fmt: skip


def join(parts: list[Played]) -> Played:
    """All groups of all parts, prompts padded on the left to the longest."""
    length = max(part.prompts.tokens.shape[1] for part in parts)
    parts = [_widened(part, length) for part in parts]
    rollouts = [part.rollout for part in parts]
    return Played(
        prompts=Prompts(
            [id for part in parts for id in part.prompts.ids],
            np.concatenate([part.prompts.tokens for part in parts]),
            np.concatenate([part.prompts.mask for part in parts]),
            parts[0].prompts.dropped,
        ),
        rollout=jax.tree.map(lambda *xs: np.concatenate(xs), *rollouts),
        judged=Judged(
            np.concatenate([part.judged.rewards for part in parts]),
            np.concatenate([part.judged.correct for part in parts]),
            [answer for part in parts for answer in part.judged.answers],
            [reason for part in parts for reason in part.judged.reasons],
        ),
        drawn=len(parts),
        seconds={p: sum(part.seconds[p] for part in parts) for p in ("rollout", "reward")},
        figures={},
    )


def _widened(part: Played, length: int) -> Played:
    extra = length - part.prompts.tokens.shape[1]

    def pad(x):
        return np.pad(x, ((0, 0), (extra, 0)))

    prompts, rollout = part.prompts, part.rollout
    return part._replace(
        prompts=prompts._replace(tokens=pad(prompts.tokens), mask=pad(prompts.mask)),
        rollout=dataclasses.replace(
            rollout, prompt_tokens=pad(rollout.prompt_tokens), prompt_mask=pad(rollout.prompt_mask)
        ),
    )


def trimmed(rollout: Rollout, *, buckets: int = 8) -> Rollout:
    """The rollout without columns that are padding in every row, to a multiple of T / buckets.

    Nothing that is masked can move a loss, so only time is saved; the multiples keep the number
    of compiled shapes at `buckets`.
    """
    longest, room = int(np.asarray(rollout.mask).sum(axis=1).max()), rollout.tokens.shape[1]
    unit = -(-room // buckets)
    length = min(-(-longest // unit) * unit, room)
    cut = {name: getattr(rollout, name)[:, :length] for name in ("tokens", "mask", "logps")}
    return dataclasses.replace(rollout, **cut)


def figures(rollout: Rollout, judged: Judged, dropped: int) -> dict[str, float]:
    """What a batch says before anything is learned from it."""
    lengths = np.asarray(rollout.mask).sum(axis=1)
    equal = equal_groups(judged.rewards, rollout.group_size)
    return {
        "reward": float(judged.rewards.mean()),
        "pass@1": float(judged.correct.mean()),
        "length/mean": float(lengths.mean()),
        "length/max": float(lengths.max()),
        "truncated": float((np.asarray(rollout.finish) == Finish.LENGTH).mean()),
        "groups/zero_variance": float(equal.mean()),
        "tokens/sampled": float(lengths.sum()),
        "prompts/dropped": float(dropped),
    }
