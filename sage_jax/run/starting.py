"""The model that training starts from, for commands that look at it alone."""

from sage_jax import config as configs
from sage_jax.config import ConfigError
from sage_jax.run import inputs
from sage_jax.run.run_folder import RunFolder


def source_of_config(config: configs.Config, *, because: str = "") -> str:
    """The model of a config, as `model.source`.

    Args:
        config: of the command.
        because: said behind the refusal, where there is more to say.

    Raises:
        ConfigError: if the model comes from a warm-up, which belongs to a run.
    """
    if config.warmup.steps:
        raise ConfigError(
            "this config makes its model by a warm-up: train it, then name the run (of arms, one "
            f"of them){because}"
        )
    return config.model.source


def source_of_run(folder: RunFolder, config: configs.Config) -> str:
    """The model that a run started from, as `model.source`.

    Raises:
        ConfigError: if its warm-up is not done.
        InputError: if the model's weights are others than the run began with.
    """
    inputs.refuse_others(config, folder, inputs.MODEL)
    if config.warmup.steps and not folder.has_base():
        raise ConfigError(f"{folder.path}: the warm-up is not done; `sage-jax train` goes on")
    return folder.source(config)
