"""The arms of a run: variants that start from one warmed-up model."""

from typing import Any

from sage_jax.config.files import merge, parse
from sage_jax.config.sections import Config
from sage_jax.faults import ConfigError
from sage_jax.parts.modules import near_miss

_TAKEN = {"base", "warmup", "report", "eval", "suites", "entropies", "rates"}


def arms(config: Config) -> dict[str, Config]:
    """The configs of the arms, by name; empty if the run has none."""
    return {name: arm(config, name) for name in config.arms}


def arm(config: Config, name: str) -> Config:
    """The config of one arm.

    Raises:
        ConfigError: if there is no such arm, or its config cannot run.
    """
    if name not in config.arms:
        there = f"there are {', '.join(config.arms)}" if config.arms else "this config has none"
        raise ConfigError(f"there is no arm {name!r}{near_miss(name, config.arms)}; {there}")
    changes = config.arms[name]
    _check_arm(config, name, changes)
    base = config.model_dump(mode="json") | {"arms": {}}
    return parse(merge(base, changes) | {"name": name}, origin=f"arms.{name}")


def _check_arm(config: Config, name: str, changes: dict[str, Any]) -> None:
    """Refuse an arm whose folder would be another's, or that would need a warm-up of its own."""
    if name in _TAKEN:
        raise ConfigError(f"arms.{name}: this name is taken by a folder beside the arms")
    shared = {"model", "task", "warmup", "seed"} & set(changes)
    task = changes.get("task")
    if isinstance(task, dict) and task.keys() <= {"rates_file", "curriculum"}:
        shared.discard("task")  # Of these a warm-up sees nothing.
    if config.warmup.steps and shared:
        raise ConfigError(
            f"arms.{name}: arms start from one warmed-up model, so {sorted(shared)[0]} cannot "
            "differ between them"
        )
