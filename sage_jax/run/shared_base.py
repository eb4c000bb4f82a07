"""The evaluation of the base, which arms beside one another need only once."""

from collections.abc import Iterator
from typing import Any

from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.parallel import hosts
from sage_jax.run.run_folder import RunFolder

_OF_TRAINING = {"name", "guide", "loss", "lora", "optimizer", "train", "listeners", "arms"}


def shared_base(config: configs.Config, folder: RunFolder) -> EvalResult | None:
    """What another arm in the same folder found of the base that both start from. A collective.

    Args:
        config: of the run; only an arm that evaluates as it would counts.
        folder: of the run.

    Returns:
        Its result, or None where the run is no arm, or the first one.
    """
    path = hosts.agree(next(_found(config, folder), None))
    return None if path is None else EvalResult.load(path)


def _found(config: configs.Config, folder: RunFolder) -> Iterator[str]:
    for arm in _beside(folder):
        if arm.eval_file("base").is_file() and evaluating(arm.load()) == evaluating(config):
            yield str(arm.eval_file("base"))


def _beside(folder: RunFolder) -> list[RunFolder]:
    if not folder.is_arm():
        return []
    arms = (RunFolder(path) for path in sorted(folder.path.parent.iterdir()))
    return [arm for arm in arms if arm.path != folder.path and arm.exists()]


def evaluating(config: configs.Config) -> dict[str, Any]:
    """What an evaluation of a model that nobody trained yet depends on."""
    found = config.model_dump(mode="json", exclude=_OF_TRAINING)
    for name in ("rates_file", "curriculum"):
        del found["task"][name]
    return found
