"""Evaluating a model inside a run, by the config's `eval` section."""

import dataclasses
from typing import Any

import jax

from sage_jax import config as configs
from sage_jax import parallel, setup
from sage_jax.evaluate.results import EvalResult
from sage_jax.learn.keys import Purpose, derive
from sage_jax.run.console import warn
from sage_jax.run.exact import Model, enumerate_answers, make_scorer
from sage_jax.run.held_out import Sampler, evaluate

MAX_ROWS = 16384  # Completions sampled at once; more are drawn one batch after the other.


def evaluate_model(
    config: configs.Config,
    base: setup.Base,
    model: Model,
    *,
    tag: str,
    step: int,
    num_samples: int,
    progress: Any = lambda done, total: None,
) -> EvalResult:
    """pass@k of a model, given as (graphdef, params), on held-out problems.

    Every model of a seed is sampled with the same keys, so that differences between two of them
    are paired. With `eval.exact` nothing is sampled, and `num_samples` means nothing.
    """
    options = config.eval
    prompts = base.task.held_out(options.num_problems)
    batch = _batch(options.batch_prompts, len(prompts.ids), parallel.row_shards(base.mesh))
    if options.exact:
        scorer = make_scorer(model, base, temperature=options.temperature)
        task: Any = base.task  # Lists its answers, as `setup.open_task` has seen to.
        found = enumerate_answers(scorer, task, prompts, batch_prompts=batch, progress=progress)
    else:
        draw = _sampler(config, base, model, num_samples, batch)
        found = evaluate(
            draw,
            base.task,
            prompts,
            derive(jax.random.key(config.seed), Purpose.EVALUATION),
            num_samples=num_samples,
            batch_prompts=batch,
            progress=progress,
        )
    result = EvalResult(
        tag=tag,
        step=step,
        task=config.task.label,
        samples=0 if options.exact else num_samples,
        seed=config.seed,
        temperature=options.temperature,
        **found._asdict(),
    )
    if result.lost:
        warn(f"evaluation {tag}: {result.lost:.2%} of its verdicts were lost and count as wrong")
    return result


def _sampler(
    config: configs.Config, base: setup.Base, model: Model, num_samples: int, batch: int
) -> Sampler:
    # As for a full batch, however few problems there are: rows draw by their place.
    sampler = _compiled(config, base, _group(num_samples, config.eval.batch_prompts))
    rows = parallel.batch_sharding(base.mesh, batch)

    def sample(tokens, mask, key):
        tokens, mask = parallel.shard((tokens, mask), rows)
        return sampler(*model, tokens, mask, key)

    return sample


def _batch(most: int, problems: int, shards: int) -> int:
    """Problems sampled at once: no more than there are, in equal parts for all devices."""
    return min(most, -(-problems // shards) * shards)


def _group(num_samples: int, batch_prompts: int) -> int:
    """The largest divisor of `num_samples` that keeps a batch within `MAX_ROWS`."""
    fitting = [
        g
        for g in range(1, num_samples + 1)
        if num_samples % g == 0 and g * batch_prompts <= MAX_ROWS
    ]
    return max(fitting, default=1)


def _compiled(config: configs.Config, base: setup.Base, group_size: int) -> Any:
    options = config.eval
    decoding = dataclasses.replace(
        setup.decoding(config, base.task),
        group_size=group_size,
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=0,
        min_p=0.0,
    )
    return setup.sampler(setup.make_policy(config, base), decoding)
