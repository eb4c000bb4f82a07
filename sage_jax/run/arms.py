"""Training the arms of a comparison one after the other, from one warmed-up model."""

import contextlib
from pathlib import Path

from sage_jax import config as configs
from sage_jax.data.tasks import Task
from sage_jax.parallel import hosts
from sage_jax.run import inputs
from sage_jax.run.entropies import keep_entropies
from sage_jax.run.facts import facts
from sage_jax.run.kept_warnings import kept_warnings
from sage_jax.run.loop import train
from sage_jax.run.openings import try_openings
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.run_lock import owned
from sage_jax.run.stop import StopRequest
from sage_jax.run.warmup import open_and_warm_up
from sage_jax.setup import objective
from sage_jax.setup.mesh import open_mesh


def train_arms(config: configs.Config, path: Path) -> None:
    """Train a config, or each of its arms in a folder of its own inside `path`.

    Arms that are done already are passed over, and the one that was interrupted is resumed.

    Raises:
        LockError: if another program trains in this folder.
        HostsError: if the processes do not have one config, code and data.
        ConfigError: if an arm cannot run; configs, devices, folders, problems and rewards of all of
            them are checked before the first one starts.
        Stopped: if asked to stop.
    """
    arms = configs.arms(config)
    for one in arms.values() or [config]:
        objective.check(one)
    hosts.refuse_difference(facts(config))
    folders = {name: RunFolder(path / name) for name in arms}
    for name, arm in arms.items():
        if not arm.mesh.auto:
            open_mesh(arm)
        folders[name].refuse_drift(arm)
    try_openings(config, arms)
    with StopRequest(within_s=config.train.stop_within_s) as stop, owned(path):
        if not arms:
            train(config, RunFolder(path), stop)
            return
        # The warm-up lies beside the arms, which then find it there and share it.
        home = RunFolder(path)
        seen = inputs.refuse_others(config, home)

        def share(task: Task) -> None:
            inputs.keep(config, home, seen, inputs.refuse_other_problems(home, task))
            home.share(config)

        with kept_warnings(home.warnings_file, ready=home.shared_file.is_file):
            base = open_and_warm_up(config, home, stop, opened=share)
        with contextlib.closing(base.task):
            keep_entropies(config, base, home)
        del base  # Each arm has the memory to itself.
        inputs.keep(config, home, seen)
        for name, arm in arms.items():
            with owned(folders[name].path):
                train(arm, folders[name], stop)
