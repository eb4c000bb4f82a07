"""Whether arms open: what each of them reads is read once before the first one starts."""

import contextlib
import json
from collections.abc import Callable, Mapping

from sage_jax import config as configs
from sage_jax import models, setup
from sage_jax.config import ConfigError
from sage_jax.data.problem import DataError
from sage_jax.learn.placement import place_abstract
from sage_jax.models import Described, ModelError
from sage_jax.run.stages import stage

# Of these `objective.check` and the mesh of each arm have told already.
_NOT_READ = {"name", "guide", "loss", "optimizer", "train", "listeners", "arms"}


def try_openings(config: configs.Config, arms: Mapping[str, configs.Config]) -> None:
    """Open problems, rewards, tokenizer and the model's shape as each arm will; no weights.

    What several arms open alike is opened once, and what all of them do not at all: that is opened
    next anyway. A collective.

    Args:
        config: that the arms are of.
        arms: by name.

    Raises:
        ConfigError: naming the arm, if one does not open.
        HostsError: if a task gives other problems on another process.
    """
    seen = {_opening(config)}
    for name, arm in arms.items():
        if (opening := _opening(arm)) in seen:
            continue
        seen.add(opening)
        with stage(f"looking at what the arm {name} reads"):
            _open(name, arm, lambda arm=arm: _described(config, arm))


def _opening(config: configs.Config) -> str:
    """What decides whether a config opens."""
    found = config.model_dump(mode="json", exclude=_NOT_READ)
    return json.dumps(found | {"reads": sorted(setup.reads(config))}, sort_keys=True)


def _open(name: str, arm: configs.Config, describe: Callable[[], Described]) -> None:
    try:
        described = describe()
        with contextlib.closing(setup.open_task(arm, described)) as task:
            arm, _ = setup.resolve_mesh(arm, lambda: described.config)
            mesh = setup.open_mesh(arm)
            graphdef, shapes = models.abstract(described.config, **setup.model_options(arm, mesh))
            params = place_abstract(mesh, shapes)
            base = setup.Base(models.Loaded(graphdef, params, *described), task, mesh)
            setup.filled(setup.make_policy(arm, base), setup.decoding(arm, task))
    except (ConfigError, DataError, ModelError) as error:
        raise ConfigError(f"arms.{name}: {error}") from error


def _described(config: configs.Config, arm: configs.Config) -> Described:
    """The model that an arm starts from: all start from the one that a warm-up makes."""
    if arm.model.source != "random":
        return models.describe(arm.model.source)
    with contextlib.closing(setup.open_task(config, None)) as task:
        return Described(setup.random_model(config, task), None)
