"""Collecting what one training step learns from: prompts, completions, rewards."""

import concurrent.futures
import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from sage_jax.data.judging import Outcome, shared, verify
from sage_jax.data.tasks import Prompts, Task
from sage_jax.learn.packing import Packing
from sage_jax.losses import Terms
from sage_jax.parallel import own_rows
from sage_jax.rewards import LOST
from sage_jax.rollout import Finish, Rollout


class Scored(NamedTuple):
    """What the update reads of a rollout besides its rewards.

    Attributes:
        rollout: cut to the columns worth computing on.
        terms: of `Learner.logprobs`.
        packing: how its completions share rows, if they do.
    """

    rollout: Rollout
    terms: Terms
    packing: Packing | None

    @property
    def slots(self) -> int:
        """Places for completion tokens that are computed on, padding included."""
        rows, length = self.rollout.tokens.shape
        return (rows if self.packing is None else self.packing.rows_taken) * length


class Played(NamedTuple):
    """One step's rollout, judged.

    Attributes:
        ids: names of N prompts.
        rollout: N·G completions, over the mesh.
        outcome: their rewards, lengths and ends.
        drawn: batches of prompts that it took.
        seconds: by phase.
        figures: metrics of everything that was sampled, whether it is kept or not.
        lost: of everything that was sampled here, what got no verdict: id, gold, completion as
            judged and reason, lines that `sage-jax verify` reads.
        scored: what `score` made of the rollout, on its way, where steps are taken in phases.
    """

    ids: list[str]
    rollout: Rollout
    outcome: Outcome
    drawn: int
    seconds: dict[str, float]
    figures: dict[str, float]
    lost: tuple[dict[str, str], ...] = ()
    scored: Scored | None = None


def play(
    task: Task,
    sample: Callable[[Prompts, int], list[Rollout]],
    score: Callable[[Rollout], Scored],
    cursor: int,
    *,
    num_prompts: int,
    dynamic_sampling: int,
    rows: NamedSharding,
) -> Played:
    """Sample, score and judge a batch; with `dynamic_sampling`, replace groups of equal rewards.

    The host verifies one part of a rollout while the devices sample the next, and the last part
    while they score, unless the rewards decide which rows are kept. Groups of equal rewards have
    advantages of zero and teach nothing. Up to `dynamic_sampling` further batches are drawn; places
    still empty after that are filled with equal groups, so that shapes stay.

    Args:
        task: prompts and judge.
        sample: (prompts, attempt) -> Rollouts of equal parts of them, best without waiting.
        score: (rollout) -> what the update reads, best without waiting for it.
        cursor: index of the first batch of prompts.
        num_prompts: N.
        dynamic_sampling: further batches allowed.
        rows: how rows lie over the mesh.
    """
    parts: list[Played] = []
    ahead = None if dynamic_sampling else score
    for attempt in range(dynamic_sampling + 1):
        prompts = task.train_prompts(cursor + attempt, num_prompts)
        parts.append(_once(task, prompts, functools.partial(sample, prompts, attempt), ahead, rows))
        equal = np.concatenate([_equal_groups(part) for part in parts])
        if (~equal).sum() >= num_prompts:
            break
    # Groups that differ first, in the order they were drawn.
    places = np.argsort(equal, kind="stable")[:num_prompts]
    outcome = Outcome.join([part.outcome for part in parts])
    seen = figures(outcome, parts[0].rollout.group_size) | parts[0].figures
    seen["groups/batches_drawn"] = float(len(parts))
    played = _scored(take(parts, places, rows), score) if dynamic_sampling else parts[0]
    return played._replace(figures=seen)


def _once(
    task: Task,
    prompts: Prompts,
    sample: Callable[[], list[Rollout]],
    score: Callable[[Rollout], Scored] | None,
    rows: NamedSharding,
) -> Played:
    times = [time.perf_counter()]
    coming = sample()
    places = np.split(np.arange(len(prompts.ids)), len(coming))
    asked = [prompts.take(own) for own in places]
    # Alone in its thread: nothing there waits for devices, which score as soon as all is sampled.
    with concurrent.futures.ThreadPoolExecutor(1) as host:
        early = [host.submit(verify, task, own, jax.block_until_ready(part))
                 for own, part in zip(asked[:-1], coming[:-1], strict=True)]  # fmt: skip
        rollout = jax.block_until_ready(_joined(rows)(coming) if len(coming) > 1 else coming[0])
        times.append(time.perf_counter())
        scored = score(rollout) if score else None
        times.append(time.perf_counter())
        verdicts = [one.result() for one in early]
    verdicts.append(verify(task, asked[-1], coming[-1]))
    # Exchanged here and not by part: a collective waits for all that the devices were given before.
    outcome = Outcome.join([shared(one) for one in verdicts])
    times.append(time.perf_counter())
    sampled, scoring, judged = np.diff(times).tolist()
    seconds = {"rollout": sampled, "reward": judged, "score": scoring}
    dropped = {"prompts/dropped": float(prompts.dropped)}
    lost = _lost_rows(task, prompts, rollout, outcome)
    return Played(prompts.ids, rollout, outcome, 1, seconds, dropped, lost, scored)


def _scored(played: Played, score: Callable[[Rollout], Scored]) -> Played:
    begun = time.perf_counter()
    scored = score(played.rollout)
    seconds = played.seconds | {"score": time.perf_counter() - begun}
    return played._replace(scored=scored, seconds=seconds)


def _equal_groups(played: Played) -> np.ndarray:
    return equal_groups(played.outcome.judged.rewards, played.rollout.group_size)


def equal_groups(rewards: np.ndarray, group_size: int) -> np.ndarray:
    """bool[N]: which groups' rewards are all equal."""
    groups = rewards.reshape(-1, group_size)
    return groups.max(axis=1) == groups.min(axis=1)


def take(parts: list[Played], places: np.ndarray, rows: NamedSharding) -> Played:
    """The groups at `places` among those of all parts, in that order."""
    size = parts[0].rollout.group_size
    chosen = (places[:, None] * size + np.arange(size)).ravel()
    ids = [id for part in parts for id in part.ids]
    rollouts = tuple(part.rollout for part in parts)
    return Played(
        ids=[ids[place] for place in places],
        rollout=_taken(rows)(rollouts, places, chosen),
        outcome=Outcome.join([part.outcome for part in parts]).take(chosen),
        drawn=len(parts),
        seconds={p: sum(part.seconds[p] for part in parts) for p in parts[0].seconds},
        figures=parts[0].figures,
        lost=tuple(row for part in parts for row in part.lost),
    )


@functools.cache
def _joined(rows: NamedSharding) -> Callable[[list[Rollout]], Rollout]:
    """A program that lays parts of a rollout under one another, on the devices."""

    def run(parts: list[Rollout]) -> Rollout:
        return jax.tree.map(lambda *own: jnp.concatenate(own), *parts)

    return jax.jit(run, out_shardings=rows)


@functools.cache
def _taken(rows: NamedSharding) -> Callable[..., Rollout]:
    """A program that takes groups and rows out of several rollouts, on the devices."""

    def pad(x: jax.Array, length: int) -> jax.Array:
        return jnp.pad(x, ((0, 0), (length - x.shape[1], 0)))

    def run(rollouts: tuple[Rollout, ...], places: jax.Array, chosen: jax.Array) -> Rollout:
        length = max(one.prompt_tokens.shape[1] for one in rollouts)

        def of(name: str) -> jax.Array:
            parts = [getattr(one, name) for one in rollouts]
            if not name.startswith("prompt_"):
                return jnp.concatenate(parts)[chosen]
            return jnp.concatenate([pad(part, length) for part in parts])[places]

        names = [name for name in Rollout.__dataclass_fields__ if name != "problems"]
        arrays: Any = {name: of(name) for name in names}
        return Rollout(**arrays)

    return jax.jit(run, out_shardings=rows)


def _lost_rows(
    task: Task, prompts: Prompts, rollout: Rollout, outcome: Outcome
) -> tuple[dict[str, str], ...]:
    """Completions without a verdict among those this process holds."""
    reasons = outcome.judged.reasons
    if LOST.isdisjoint(reasons):
        return ()
    rows, own = own_rows(rollout.tokens)
    masks = own_rows(rollout.mask)[1]
    return tuple(
        _row(task, prompts.ids[row // rollout.group_size], tokens[mask > 0], reasons[row])
        for row, tokens, mask in zip(rows, own, masks, strict=True)
        if reasons[row] in LOST
    )


def _row(task: Task, id: str, tokens: np.ndarray, reason: str) -> dict[str, str]:
    completion = task.judged_text(tokens)
    return {"id": id, "gold": task.gold(id), "completion": completion, "reason": reason}


def figures(outcome: Outcome, group_size: int) -> dict[str, float]:
    """What a batch says before anything is learned from it."""
    judged, lengths = outcome.judged, outcome.lengths
    return {
        "reward": float(judged.rewards.mean()),
        "pass@1": float(judged.correct.mean()),
        "length/mean": float(lengths.mean()),
        "length/max": float(lengths.max()),
        "verdicts/lost": float(np.mean([reason in LOST for reason in judged.reasons])),
        "truncated": float((outcome.finish == Finish.LENGTH).mean()),
        "groups/zero_variance": float(equal_groups(judged.rewards, group_size).mean()),
        "tokens/sampled": float(lengths.sum()),
    }
