"""Evaluating a model inside a run, by the config's `eval` section."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import jax

from sage_jax import config as configs
from sage_jax import parallel, setup
from sage_jax.data.tasks import Prompts
from sage_jax.evaluate.counting import as_evaluation
from sage_jax.evaluate.problem_result import ProblemResult
from sage_jax.evaluate.results import EvalResult
from sage_jax.learn.keys import Purpose, derive
from sage_jax.rollout import Decoding
from sage_jax.run.console import warn
from sage_jax.run.exact import Model, enumerate_answers, make_scorer
from sage_jax.run.held_out import Sampler, evaluate
from sage_jax.run.shared_base import evaluating
from sage_jax.run.stored import Stored

MAX_ROWS = 16384  # Completions sampled at once; more are drawn one batch after the other.


class Asked(NamedTuple):
    """What is evaluated.

    Attributes:
        tag: name of the evaluation.
        step: of the model.
        num_samples: of each problem.
        repeat: number of the repetition, which samples with the seed of the run plus this.
        num_problems: the first ones; None takes `eval.num_problems`.
        name: of the problems; by default the task's.
    """

    tag: str
    step: int
    num_samples: int
    repeat: int = 0
    num_problems: int | None = None
    name: str = ""


def evaluate_model(
    config: configs.Config,
    base: setup.Base,
    model: Model,
    asked: Asked,
    *,
    folder: Path | None = None,
    progress: Any = lambda done, total: None,
) -> EvalResult:
    """pass@k of a model, given as (graphdef, params), on held-out problems.

    Every model of a seed is sampled with the same keys, so that differences between two of them
    are paired. With `eval.exact` nothing is sampled, and `num_samples` means nothing.

    Args:
        config: of the run.
        base: the task, and where the model lies.
        model: what is evaluated.
        asked: how it is.
        folder: for completions, which are not sampled again where they are there; None keeps none.
        progress: called with what is done and the whole.
    """
    options, (temperature, _) = config.eval, config.eval.drawn_at
    head: dict[str, Any] = {
        "tag": asked.tag,
        "step": asked.step,
        "task": asked.name or config.task.label,
        "seed": config.seed + asked.repeat,
        "temperature": temperature,
    }
    count = options.num_problems if asked.num_problems is None else asked.num_problems
    prompts = base.task.held_out(count)
    batch = batch_size(options.batch_prompts, len(prompts.ids), parallel.row_shards(base.mesh))
    if options.exact:
        scorer = make_scorer(model, base, temperature=temperature)
        task: Any = base.task  # Lists its answers, as `setup.open_task` has seen to.
        exact = enumerate_answers(scorer, task, prompts, batch_prompts=batch, progress=progress)
        return EvalResult(samples=0, **head, **exact._asdict())
    problems = _sampled(config, base, model, asked, prompts, batch, folder, progress)
    result = as_evaluation(problems, **head)
    if result.lost:
        warn(
            f"evaluation {asked.tag}: {result.lost:.2%} of its verdicts were lost and count as "
            "wrong"
        )
    return result


def _sampled(
    config: configs.Config,
    base: setup.Base,
    model: Model,
    asked: Asked,
    prompts: Prompts,
    batch: int,
    folder: Path | None,
    progress: Any,
) -> tuple[ProblemResult, ...]:
    # As for a full batch, however few problems there are: rows draw by their place.
    group = group_size(asked.num_samples, config.eval.batch_prompts)
    plan = {"asked": asked._asdict(), "batch": batch, "group_size": group}
    plan |= {"prompts": digest(prompts), "config": evaluating(config)}
    return evaluate(
        sampler(config, base, model, _decoding(config, base, group), batch),
        base.task,
        prompts,
        derive(jax.random.key(config.seed + asked.repeat), Purpose.EVALUATION),
        num_samples=asked.num_samples,
        group_size=group,
        batch_prompts=batch,
        stored=Stored(folder, plan),
        progress=progress,
    )


def digest(prompts: Prompts) -> str:
    """By which prompts are known again."""
    told = repr(prompts.ids).encode() + prompts.tokens.tobytes() + prompts.mask.tobytes()
    return hashlib.sha256(told).hexdigest()[:16]


def sampler(
    config: configs.Config, base: setup.Base, model: Model, decoding: Decoding, batch: int
) -> Sampler:
    """Draws groups of a model's completions of `batch` prompts, over the mesh."""
    draw = setup.sampler(setup.make_policy(config, base), decoding)
    rows = parallel.batch_sharding(base.mesh, batch)

    def sample(tokens, mask, key):
        tokens, mask = parallel.shard((tokens, mask), rows)
        return draw(*model, tokens, mask, key)

    return sample


def batch_size(most: int, problems: int, shards: int) -> int:
    """Problems sampled at once: no more than there are, in equal parts for all devices."""
    return min(most, -(-problems // shards) * shards)


def group_size(num_samples: int, batch_prompts: int) -> int:
    """The largest divisor of `num_samples` that keeps a batch within `MAX_ROWS`."""
    fitting = [
        g
        for g in range(1, num_samples + 1)
        if num_samples % g == 0 and g * batch_prompts <= MAX_ROWS
    ]
    return max(fitting, default=1)


def _decoding(config: configs.Config, base: setup.Base, group_size: int) -> Decoding:
    temperature, top_p = config.eval.drawn_at
    return dataclasses.replace(
        setup.decoding(config, base.task),
        group_size=group_size,
        temperature=temperature,
        top_p=top_p,
        top_k=0,
        min_p=0.0,
    )
