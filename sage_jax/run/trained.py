"""A run's model, put together from its base and its newest checkpoint."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from sage_jax import config as configs
from sage_jax import models, setup
from sage_jax.config import ConfigError
from sage_jax.learn.learner import Learner
from sage_jax.learn.state import TrainState
from sage_jax.run import inputs
from sage_jax.run.checkpoint import Checkpoints
from sage_jax.run.console import warn
from sage_jax.run.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Trained:
    """A run's model at its newest checkpoint."""

    base: setup.Base
    learner: Learner
    state: TrainState
    step: int

    @property
    def weights(self) -> Any:
        """The trained arrays."""
        return self.state.trained

    def decoder(self) -> tuple[Any, Any]:
        """The policy as (graphdef, params)."""
        return self.learner.decoder(self.weights)

    def export(self) -> Any:
        """All weights, in float32 where they were trained so: masters, or adapters folded in."""
        modules, frozen = self.learner.policy.modules, self.learner.frozen
        if modules.adapter_alpha is None:
            return self.state.precise
        wide = jax.tree.map(lambda x: x.astype(jnp.float32), frozen)
        return modules.folded(self.weights, wide)


def open_run(path: Path) -> RunFolder:
    """The run folder at a path.

    Raises:
        ConfigError: if there is none; where there are arms, they are named.
    """
    folder = RunFolder(path)
    if folder.exists():
        return folder
    arms = sorted(p.parent.name for p in path.glob("*/config.yaml")) if path.is_dir() else []
    hint = f"; it holds the arms {', '.join(arms)}: name one of them" if arms else ""
    raise ConfigError(f"{path}: not a run folder (it has no config.yaml){hint}")


def load_trained(path: Path, config: configs.Config, *, on_suites: bool = False) -> Trained:
    """Load a run's base model and put its newest checkpoint on top.

    Args:
        path: of the run.
        config: of the run.
        on_suites: open the first of `eval.suites` and not the task, whose training problems are
            then not read.

    Raises:
        ConfigError: if there is no checkpoint yet.
        InputError: if the base's weights are others than the run began with.
    """
    folder = open_run(path)
    inputs.refuse_others(config, folder, inputs.MODEL)
    checkpoints = Checkpoints(folder.checkpoints, keep=config.train.keep_checkpoints)
    try:
        if checkpoints.latest() is None:
            raise ConfigError(f"{path}: no checkpoint yet; `sage-jax train` makes the first")
        base = open_base(config, folder.source(config), on_suites)
        learner = setup.make_learner(config, base)
        found = checkpoints.restore_newest(learner.layout, say=warn)
        assert found is not None
        step, state, _ = found
    finally:
        checkpoints.close()
    return Trained(base, learner, state, step)


def open_base(config: configs.Config, source: str, on_suites: bool) -> setup.Base:
    """The model at `source`, with the config's task or the first of its suites."""
    task = setup.open_suite(config, models.describe(source), 0) if on_suites else None
    return setup.open_base(config, source, task=task)
