"""The command `rate`: how often the base model solves each training problem."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from rich.console import Console as Terminal

from sage_jax import config as configs
from sage_jax import parallel, setup
from sage_jax.config import ConfigError
from sage_jax.data.rates import BASE_PASS_RATE
from sage_jax.evaluate.problem_result import ProblemResult, means_of
from sage_jax.files import write_atomically
from sage_jax.learn.keys import Purpose, derive
from sage_jax.parallel import hosts
from sage_jax.run.console import warn
from sage_jax.run.evaluation import batch_size, digest, group_size, sampler
from sage_jax.run.held_out import evaluate
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.shared_base import evaluating
from sage_jax.run.stages import stage
from sage_jax.run.starting import source_of_config, source_of_run
from sage_jax.run.stored import Stored


def rate_config(config: configs.Config, out: Path, *, samples: int) -> None:
    """Rate the training problems by the model that a config starts from; see `rate`.

    Raises:
        ConfigError: as `source_of_config`.
    """
    rate(config, source_of_config(config), out, samples=samples)


def rate_run(folder: RunFolder, config: configs.Config, out: Path, *, samples: int) -> None:
    """Rate the training problems by the model that a run started from; see `rate`.

    Raises:
        ConfigError, InputError: as `source_of_run`.
    """
    rate(config, source_of_run(folder, config), out, samples=samples)


def rate(config: configs.Config, source: str, out: Path, *, samples: int) -> None:
    """Write the share of a model's completions of each training problem that is right.

    Sampled as in training. Completions are kept in a folder beside `out`, and not sampled again.

    Args:
        config: of the task; its curriculum, and rates that are there, are not looked at.
        source: of the model.
        out: for JSON Lines of {"id", "base_pass_rate", "samples"}.
        samples: completions of each problem.

    Raises:
        ConfigError: if `samples` is less than 1, `out` has no ending, or the task draws its
            problems anew.
    """
    if samples < 1:
        raise ConfigError(f"--samples is {samples}; take 1 completion of each problem or more")
    if not out.suffix:
        raise ConfigError(
            f"--out {out}: name a file with an ending, as rates.jsonl: completions are kept in a "
            "folder of its name without that"
        )
    base = setup.open_base(config, source, trains=False)
    try:
        found = _sampled(config, base, out, samples)
    finally:
        base.task.close()
    if hosts.is_main():
        write_atomically(out, "".join(map(_line, found)).encode())
        _tell(found, out)


def _sampled(
    config: configs.Config, base: setup.Base, out: Path, samples: int
) -> tuple[ProblemResult, ...]:
    task = base.task
    all_train = getattr(task, "all_train", None)
    if all_train is None:
        raise ConfigError(
            f"task: {config.task.use} draws its problems anew all the time, so that there are none "
            "to rate: take one in words"
        )
    prompts, most = all_train(), config.eval.batch_prompts
    batch = batch_size(most, len(prompts.ids), parallel.row_shards(base.mesh))
    group = group_size(samples, most)
    decoding = dataclasses.replace(setup.decoding(config, task), group_size=group)
    plan = {"samples": samples, "batch": batch, "group_size": group}
    plan |= {"prompts": digest(prompts), "config": _rating(config)}
    model = (base.loaded.graphdef, base.loaded.params)
    with stage(f"rating {len(prompts.ids)} training problems") as told:
        return evaluate(
            sampler(config, base, model, decoding, batch),
            task,
            prompts,
            derive(jax.random.key(config.seed), Purpose.EVALUATION),
            num_samples=samples,
            group_size=group,
            batch_prompts=batch,
            stored=Stored(out.with_suffix(""), plan),
            progress=told.progress,
        )


def _rating(config: configs.Config) -> dict[str, Any]:
    """What the rates depend on: not the evaluation, nor what is made of rates."""
    found = evaluating(config)
    del found["eval"]
    for source in found["task"].get("of", ()):
        for name in ("rates_file", "curriculum", "weight") if isinstance(source, dict) else ():
            source.pop(name, None)
    return found


def _line(result: ProblemResult) -> str:
    rate = float(result.correct) / result.samples
    return json.dumps({"id": result.id, BASE_PASS_RATE: rate, "samples": result.samples}) + "\n"


def _tell(found: Sequence[ProblemResult], out: Path) -> None:
    rates = [float(one.correct) / one.samples for one in found]
    if lost := means_of(found)["lost"]:
        warn(f"{lost:.2%} of the verdicts were lost and count as wrong")
    Terminal().print(
        f"{len(rates)} training problems, mean rate {sum(rates) / len(rates):.3f}; "
        f"{_share(rates, 0)} never solved, {_share(rates, 1)} always; wrote {out}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _share(rates: Sequence[float], value: float) -> str:
    return f"{sum(rate == value for rate in rates) / len(rates):.1%}"
