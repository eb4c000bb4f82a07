"""Chances of all right completions of held-out problems, computed instead of sampled."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from sage_jax import parallel
from sage_jax.data.tasks import Enumerable, Prompts, Worked
from sage_jax.evaluate.modes import of_tokens
from sage_jax.evaluate.problem_result import ProblemResult
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.passes import Pass
from sage_jax.learn.sequences import Sequences
from sage_jax.learn.shards import Shards
from sage_jax.run.held_out import batches
from sage_jax.setup import Base

Model = tuple[Any, Any]
"""(graphdef, params)."""

Scorer = Callable[[Prompts, Worked], tuple[np.ndarray, np.ndarray]]
"""Prompts and their N x M worked answers -> (logps, entropies), each [N, M, T]."""


class Exact(NamedTuple):
    """What worked answers of held-out problems are worth to a model.

    Attributes:
        problems: the chance of each to be solved by one sample, in all and by mode.
        tokens: see `EvalResult.tokens`.
    """

    problems: tuple[ProblemResult, ...]
    tokens: dict[str, list[float]]


def make_scorer(model: Model, base: Base, *, temperature: float) -> Scorer:
    """Teacher-forces worked answers, as one pass over all rows. A collective."""
    (graphdef, params), mesh = model, base.mesh
    shards = Shards.of(mesh, base.loaded.config.vocab_size)

    def score(prompts: Prompts, worked: Worked) -> tuple[np.ndarray, np.ndarray]:
        count, each, length = worked.tokens.shape
        rows = (worked.tokens.reshape(-1, length), worked.mask.reshape(-1, length))
        sequences = Sequences(
            *parallel.shard((prompts.tokens, prompts.mask), parallel.batch_sharding(mesh, count)),
            *parallel.shard(rows, parallel.batch_sharding(mesh, count * each)),
        )
        found = _logprobs(graphdef, params, sequences, Pass(temperature, count * each, shards))
        logps, entropies = (x.reshape(worked.tokens.shape) for x in parallel.fetch(found))
        return logps, entropies

    return score


@functools.partial(jax.jit, static_argnums=(0, 3))
def _logprobs(graphdef: Any, params: Any, sequences: Sequences, each: Pass) -> Any:
    return logprobs(graphdef, params, sequences, each=each)


def enumerate_answers(
    scorer: Scorer,
    task: Enumerable,
    prompts: Prompts,
    *,
    batch_prompts: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Exact:
    """The chance of every right answer to each prompt: p = sum over answers of prod_t pi(y_t).

    Args:
        scorer: of the model.
        task: lists the answers.
        prompts: Q held-out problems.
        batch_prompts: problems read at once; the last batch is filled up with copies.
        progress: called with (problems done, Q).
    """
    problems: list[ProblemResult] = []
    sums = np.zeros(0)
    for batch, real in batches(prompts, batch_prompts):
        worked = task.right_answers(batch)
        logps, entropies = (x[:real].astype(np.float64) for x in scorer(batch, worked))
        tokens, mask, right = worked.tokens[:real], worked.mask[:real], worked.right[:real]
        chances = np.exp((logps * mask).sum(axis=2))
        problems += [
            _result(batch.ids[n], chances[n][right[n]], np.array(worked.modes)[right[n]])
            for n in range(real)
        ]
        found = np.stack(of_tokens(logps, entropies, tokens, mask))
        sums = found if not sums.size else sums + found
        progress(len(problems), len(prompts.ids))
    reached, kept, entropy = sums
    of = np.maximum(reached, np.finfo(np.float64).tiny)
    return Exact(
        tuple(problems),
        {"right": (kept / of).tolist(), "entropy": (entropy / of).tolist()},
    )


def _result(id: str, chances: np.ndarray, modes: np.ndarray) -> ProblemResult:
    # Chances of float32 log-probabilities may add up to a little more than 1.
    chances = chances / max(chances.sum(), 1.0)
    found: dict[str, float] = {}
    for mode, chance in zip(modes.tolist(), chances.tolist(), strict=True):
        found[mode] = found.get(mode, 0.0) + chance
    return ProblemResult(id, min(float(chances.sum()), 1.0), 0, modes=found)
