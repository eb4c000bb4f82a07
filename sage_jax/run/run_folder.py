"""Where a run keeps what: the names inside a run folder, and nothing else."""

import dataclasses
from pathlib import Path

from sage_jax import config as configs
from sage_jax.files import write_atomically
from sage_jax.parallel import hosts
from sage_jax.run import named_data


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def metrics_file(self) -> Path:
        """One JSON object a step."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Orbax checkpoints of training."""
        return self.path / "checkpoints"

    @property
    def warmup_checkpoints(self) -> Path:
        """Orbax checkpoints of the warm-up."""
        return self.path / "warmup"

    @property
    def base(self) -> Path:
        """The model that reinforcement learning starts from, where a warm-up made it.

        Arms of one comparison share that of the folder they lie in.
        """
        home = RunFolder(self.path.parent) if self.is_arm() else self
        return home.path / "base"

    def source(self, config: configs.Config) -> str:
        """Where the model lies that reinforcement learning starts from, as `model.source`."""
        return str(self.base) if config.warmup.steps else config.model.source

    def has_base(self) -> bool:
        """Whether that model is there, whole: its config is the last file to appear."""
        return (self.base / "config.json").is_file()

    @property
    def shared_file(self) -> Path:
        """What the arms in this folder have in common: model, task and warm-up."""
        return self.path / "shared.yaml"

    def is_arm(self) -> bool:
        """Whether it lies in a folder of arms, with which it shares the base."""
        return RunFolder(self.path.parent).shared_file.is_file()

    @property
    def inputs_file(self) -> Path:
        """Digests of the problems and weights that the run began with."""
        return self.path / "inputs.json"

    @property
    def contaminated_file(self) -> Path:
        """Training problems that are evaluated on too, and why; see `task.decontaminate`."""
        return self.path / "contaminated.jsonl"

    def samples_file(self, step: int) -> Path:
        """Samples written at a step."""
        return self.path / "samples" / f"step-{step:06d}.jsonl"

    def lost_file(self, step: int) -> Path:
        """Completions of a step whose verdicts were lost."""
        return self.path / "lost" / f"step-{step:06d}.jsonl"

    def bad_file(self, step: int) -> Path:
        """The batch of a step whose update was skipped."""
        return self.path / "bad" / f"step-{step:06d}.npz"

    @property
    def warnings_file(self) -> Path:
        """What was warned of, each text once."""
        return self.path / "warnings.jsonl"

    @property
    def stalls_file(self) -> Path:
        """Where every thread stood when a phase took unusually long."""
        return self.path / "stalls.txt"

    def tracker_file(self, name: str) -> Path:
        """The run's id in a tracker, and how far that was told."""
        return self.path / "trackers" / f"{name}.json"

    def eval_file(self, tag: str) -> Path:
        """Result of an evaluation."""
        return self.path / "eval" / f"{tag}.json"

    def completions(self, tag: str) -> Path:
        """Folder of the completions of an evaluation."""
        return self.path / "eval" / tag

    @property
    def suites(self) -> Path:
        """Results of suites, SUITE/TAG/seed-N.json, and their completions."""
        return self.path / "suites"

    def exists(self) -> bool:
        """Whether a run was started here."""
        return self.config_file.is_file()

    def has_begun(self) -> bool:
        """Whether a run, or arms, were started here."""
        return self.exists() or self.shared_file.is_file()

    def refuse_drift(self, config: configs.Config) -> None:
        """Raise `ConfigError` if the folder's run has another config, naming what differs.

        It may be given more steps, see `longer`.
        """
        if self.exists():
            old = configs.load(self.config_file)
            more = {"train.steps"} if config.train.steps >= old.train.steps else set()
            _refuse_drift(old, config, self.config_file, self._moves(config) | more)

    def _moves(self, config: configs.Config) -> set[str]:
        """Paths that may change, since what they lead to is known by `inputs_file`."""
        if not self.inputs_file.is_file():
            return set()
        # Of a model that was warmed up nothing is read again.
        model = set() if config.warmup.steps else {"model.source"}
        return {*config.files} | named_data.places(config) | model

    def write_config(self, config: configs.Config) -> None:
        """Make the folder a run; called once everything about the run has been found to fit."""
        if hosts.is_main():
            write_atomically(self.config_file, configs.dump(config).encode())

    def share(self, config: configs.Config) -> None:
        """Make the folder one of arms, which share `config`'s model, task and warm-up.

        Raises:
            ConfigError: if it holds arms that share another one.
        """
        common = config.model_copy(update={name: getattr(_BARE, name) for name in _OF_ARMS})
        if self.shared_file.is_file():
            old = configs.load(self.shared_file)
            _refuse_drift(old, common, self.shared_file, self._moves(config))
        if hosts.is_main():
            write_atomically(self.shared_file, configs.dump(common).encode())

    def load(self) -> configs.Config:
        """The config of the run.

        Raises:
            ConfigError: if there is no run here.
        """
        if not self.exists():
            raise configs.ConfigError(f"{self.path}: not a run folder (it has no config.yaml)")
        return configs.load(self.config_file)


# What may change between the parts of one run without changing what is computed.
_MAY_CHANGE = {
    "train.checkpoint_every", "train.keep_checkpoints", "train.sample_every",
    "train.entropies",
    "train.max_bad_steps", "train.stall_s", "train.stop_within_s", "mesh.auto", "mesh.data",
    "mesh.fsdp", "mesh.tensor", "task.num_workers", "task.max_lost", "rollout.compactions",
    "rollout.cache_doublings", "rollout.chunks", "optimizer.packing", "warmup.attempts",
    "warmup.min_pass1",
    "warmup.checkpoint_every", "train.schedule_steps",
    "listeners",
}  # fmt: skip

# What arms may have of their own, and a config with the defaults of it.
_OF_ARMS = ("guide", "reward", "listeners", "lora", "loss", "train", "arms")
_BARE = configs.parse({"name": "bare", "model": {"source": "bare"}, "task": "arithmetic"})


def _refuse_drift(old: configs.Config, new: configs.Config, origin: Path, moves: set[str]) -> None:
    """Raise `ConfigError` where two configs differ in a field that a resumed run must keep."""
    may_change = _MAY_CHANGE | moves
    before, after = (_flat(c.model_dump(mode="json")) for c in (old, new))
    changed = [f for f in before | after if before.get(f) != after.get(f) and f not in may_change]
    if changed:
        lines = [f"{f}: {before.get(f)!r} there, {after.get(f)!r} now" for f in changed]
        raise configs.ConfigError(
            f"{origin}: the run in this folder was started with another config ("
            + "; ".join(lines)
            + "); take another --run_dir, or the same config to resume"
        )


def _flat(tree: dict, prefix: str = "") -> dict:
    items: dict = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        items |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return items
