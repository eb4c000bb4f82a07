"""The arms of a run: variants that start from one warmed-up model."""

from typing import Any

from sage_jax.config.files import merge, parse
from sage_jax.config.sections import Config
from sage_jax.faults import ConfigError


def arms(config: Config) -> dict[str, Config]:
    """The configs of the arms, by name; empty if the run has none."""
    base = config.model_dump(mode="json") | {"arms": {}}
    for name, changes in config.arms.items():
        _check_arm(config, name, changes)
    return {
        name: parse(merge(base, changes) | {"name": name}, origin=f"arms.{name}")
        for name, changes in config.arms.items()
    }


def _check_arm(config: Config, name: str, changes: dict[str, Any]) -> None:
    """Refuse an arm whose folder would be another's, or that would need a warm-up of its own."""
    if name in ("base", "warmup", "report", "eval"):
        raise ConfigError(f"arms.{name}: this name is taken by a folder beside the arms")
    shared = {"model", "task", "warmup", "seed"} & set(changes)
    if config.warmup.steps and shared:
        raise ConfigError(
            f"arms.{name}: arms start from one warmed-up model, so {sorted(shared)[0]} cannot "
            "differ between them"
        )
