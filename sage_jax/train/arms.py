"""Training the arms of a comparison one after the other, from one warmed-up model."""

from pathlib import Path

from sage_jax import config as configs
from sage_jax.train.loop import train
from sage_jax.train.run_folder import RunFolder
from sage_jax.train.stop import StopRequest
from sage_jax.train.warmup import warm_up


def train_arms(config: configs.Config, path: Path) -> None:
    """Train a config, or each of its arms in a folder of its own inside `path`.

    Arms that are done already are passed over, and the one that was interrupted is resumed.

    Raises:
        ConfigError: if any arm cannot run; all are checked before the first one starts.
        Stopped: if asked to stop.
    """
    arms = configs.arms(config)
    with StopRequest() as stop:
        if not arms:
            train(config, RunFolder(path), stop)
            return
        # The warm-up lies beside the arms, which then find it there and share it.
        (path / "base").parent.mkdir(parents=True, exist_ok=True)
        warm_up(config, RunFolder(path), stop)
        for name, arm in arms.items():
            train(arm, RunFolder(path / name), stop)
