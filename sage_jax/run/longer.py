"""More steps for a run that is there: what its schedules were spread over stays."""

import dataclasses

import jax

from sage_jax import config as configs
from sage_jax import parts
from sage_jax.evaluate import EvalResult
from sage_jax.learn.optimizer import make_schedule
from sage_jax.parallel import hosts
from sage_jax.run.console import warn
from sage_jax.run.run_folder import RunFolder


def continued(config: configs.Config, folder: RunFolder) -> configs.Config:
    """The config with which a folder's run goes on, which keeps the total of its schedules.

    Learning rate and guide at a step depend on how many steps there are. Where `train.steps` was
    raised they stay those of the total that the run began with, unless `train.schedule_steps`
    names another one. Either is told once.
    """
    if not folder.exists():
        return config
    old = folder.load()
    total = old.scheduled_steps
    if not config.train.schedule_steps and config.train.steps != total:
        config = configs.override(config, {"train": {"schedule_steps": total}})
    if config.train.steps > old.train.steps:
        warn(f"train.steps: {old.train.steps} before, {config.train.steps} now; {_told(config)}")
    if config.scheduled_steps != total:
        warn(
            f"train.schedule_steps: from here on schedules are spread over {config.scheduled_steps}"
            f" steps, not over the {total} that the run began with"
        )
    return config


def _told(config: configs.Config) -> str:
    """What the schedules do beyond the steps that they are spread over."""
    total, steps = config.scheduled_steps, config.train.steps
    kept = []
    if config.optimizer.schedule != "constant":
        kept.append(
            f"the {config.optimizer.schedule} learning rate keeps its {total} steps and stays at "
            f"{_last_rate(config):g} after them"
        )
    if parts.resolve(config.guide, parts.GUIDES, field="guide").asks("max_steps"):
        kept.append(
            f"guide {config.guide.use!r} keeps its cycles over {total} steps and goes on in the "
            "bounds of the last"
        )
    if not kept or total >= steps:
        return "nothing depends on their number" if not kept else f"{total} steps are scheduled"
    return f"{' and '.join(kept)} (--train.schedule_steps {steps} spreads over all)"


def _last_rate(config: configs.Config) -> float:
    options = config.optimizer
    schedule = make_schedule(
        options.schedule,
        options.learning_rate,
        warmup_steps=options.warmup_steps,
        total_steps=config.total_updates,
        end_factor=options.end_factor,
    )
    return float(jax.device_get(schedule(config.total_updates)))


def retitle_final(folder: RunFolder, steps: int) -> None:
    """Give the last evaluation of a run that now has more steps the name of its step."""
    path = folder.eval_file("final")
    if not hosts.is_main() or not path.is_file():
        return
    result = EvalResult.load(path)
    if result.step < steps:
        tag = f"step-{result.step:06d}"
        dataclasses.replace(result, tag=tag).save(folder.eval_file(tag))
        path.unlink()
