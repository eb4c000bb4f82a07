"""Dynamic sampling: groups of equal rewards, which teach nothing, are replaced by others."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax.data.tasks import Prompts
from sage_jax.rollout import Rollout
from sage_jax.run.judging import Outcome, Pending


class Batch(NamedTuple):
    """N prompts with G completions each, sampled; their rewards may be on their way."""

    prompts: Prompts
    rollout: Rollout
    rewards: Pending


def resample(
    collect: Callable[[int], Batch],
    *,
    num_prompts: int,
    more: int,
    sharding: jax.sharding.NamedSharding,
) -> tuple[Batch, Sequence[Batch]]:
    """A batch whose groups have unlike rewards, as far as further batches give some.

    The groups that differ come first, in the order they were drawn. Places still empty after all
    batches are filled with groups of equal rewards, so that shapes stay. Source: DAPO, Yu et al.
    2025 (arXiv 2503.14476), section 3.2.

    Args:
        collect: (attempt) -> Batch.
        num_prompts: N.
        more: batches that may be collected after the first; with 0 nothing is waited for.
        sharding: of the rows.

    Returns:
        The batch, and all that were collected for it.
    """
    drawn = [collect(0)]
    if not more:
        return drawn[0], drawn
    equal = _equal(drawn[0])
    while (~equal).sum() < num_prompts and len(drawn) <= more:
        drawn.append(collect(len(drawn)))
        equal = np.concatenate([equal, _equal(drawn[-1])])
    return take(drawn, np.argsort(equal, kind="stable")[:num_prompts], sharding), drawn


def _equal(batch: Batch) -> np.ndarray:
    return equal_groups(batch.rewards.result().judged.rewards, batch.rollout.group_size)


def equal_groups(rewards: np.ndarray, group_size: int) -> np.ndarray:
    """bool[N]: which groups' rewards are all equal."""
    groups = rewards.reshape(-1, group_size)
    return groups.max(axis=1) == groups.min(axis=1)


def take(drawn: Sequence[Batch], places: np.ndarray, sharding: jax.sharding.NamedSharding) -> Batch:
    """The groups at `places` among those of all batches, in that order."""
    size = drawn[0].rollout.group_size
    chosen = (places[:, None] * size + np.arange(size)).ravel()
    rollout = _taker(sharding)(tuple(one.rollout for one in drawn), places, chosen)
    outcome = Outcome.join([one.rewards.result() for one in drawn]).take(chosen)
    return Batch(_prompts(drawn, places), rollout, Pending(lambda: outcome))


def _prompts(drawn: Sequence[Batch], places: np.ndarray) -> Prompts:
    """Which prompts they are; their tokens are in the rollout, padded to one width."""
    prompts = [one.prompts for one in drawn]
    ids = [id for one in prompts for id in one.ids]
    problems = tuple(problem for one in prompts for problem in one.problems)
    none = np.zeros((len(ids), 0), np.int32)
    return Prompts(ids, none, none.astype(bool), prompts[0].dropped, problems).take(places)


@functools.cache
def _taker(sharding: jax.sharding.NamedSharding) -> Callable[..., Rollout]:
    """A program that takes groups and rows out of several rollouts, on the devices."""

    def wide(x: jax.Array, length: int) -> jax.Array:
        return jnp.pad(x, ((0, 0), (length - x.shape[1], 0)))

    def run(rollouts: tuple[Rollout, ...], places: jax.Array, chosen: jax.Array) -> Rollout:
        length = max(one.prompt_tokens.shape[1] for one in rollouts)

        def of(name: str) -> jax.Array:
            parts = [getattr(one, name) for one in rollouts]
            if not name.startswith("prompt_"):
                return jnp.concatenate(parts)[chosen]
            return jnp.concatenate([wide(part, length) for part in parts])[places]

        names = [name for name in Rollout.__dataclass_fields__ if name != "problems"]
        arrays: Any = {name: of(name) for name in names}
        return Rollout(**arrays)

    return jax.jit(run, out_shardings=sharding)
