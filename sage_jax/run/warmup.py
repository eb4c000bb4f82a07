"""Supervised fine-tuning on demonstrations: the model that reinforcement learning starts from."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from sage_jax import config as configs
from sage_jax import models, parallel, setup
from sage_jax.config import ConfigError
from sage_jax.data.tasks import Demonstrations, Task
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.modules import Modules
from sage_jax.learn.optimizer import make_optimizer, make_schedule
from sage_jax.learn.passes import Pass
from sage_jax.learn.placement import create, keep_sharding, place
from sage_jax.learn.sequences import Sequences
from sage_jax.learn.shards import Shards
from sage_jax.learn.state import TrainState
from sage_jax.learn.update import Update
from sage_jax.losses import Terms, reduce
from sage_jax.parallel import hosts
from sage_jax.run.checkpoint import Checkpoints
from sage_jax.run.console import Console, warn
from sage_jax.run.evaluation import Asked, evaluate_model
from sage_jax.run.events import Event, WarmupStepDone
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stages import compiling, stage
from sage_jax.run.stop import StopRequest

Emit = Callable[[Event], None]

_RISE, _FINAL = 0.1, 0.05  # Share of the steps spent rising; learning rate left at the end.


def likelihood(terms: Terms, *, step: Any, key: Any) -> tuple[reduce.Mean, reduce.Metrics]:
    """Mean over tokens of -log pi: what supervised fine-tuning minimises."""
    return reduce.bnpo(-terms.logps, terms.mask), {}


def open_and_warm_up(
    config: configs.Config,
    folder: RunFolder,
    stop: StopRequest,
    *,
    opened: Callable[[Task], None],
    emit: Emit = lambda event: None,
) -> setup.Base:
    """The model that reinforcement learning starts from, made by a warm-up where there is one.

    Args:
        config: of the run.
        folder: keeps the warmed-up model as `folder.base`, where it is found again.
        stop: leaves between steps.
        opened: called with the task once model, task and devices have been found to fit the config.
        emit: told of the warm-up's steps.

    Raises:
        ConfigError: if something does not fit, or no attempt reached `warmup.min_pass1`.
    """
    ready = hosts.agree(folder.has_base())
    if ready or not config.warmup.steps:
        source = folder.source(config)
        with stage(f"loading {source} and the problems"):
            base = setup.open_base(config, source)
        opened(base.task)
        return base
    with stage(f"loading {config.model.source} and the problems"):
        base = _fresh(config, 0)
    try:
        opened(base.task)
        with contextlib.ExitStack() as closing:
            shown = setup.open_demonstrations(config, base)
            if shown is not base.task:
                closing.callback(shown.close)
            _warm_up(config, folder, base, shown, stop, emit)
        with stage(f"loading {folder.base}"):
            return setup.open_base(config, str(folder.base), task=base.task)
    except BaseException:
        base.task.close()
        raise


def _warm_up(
    config: configs.Config,
    folder: RunFolder,
    base: setup.Base,
    shown: Task,
    stop: StopRequest,
    emit: Emit,
) -> None:
    reached = 0.0
    for number in range(config.warmup.attempts):
        trained = _Attempt(config, folder, base, shown, number, stop, emit).train()
        bar = config.warmup.min_pass1
        reached = _pass1(config, trained, stop) if bar else 0.0
        if reached >= bar:
            loaded = trained.loaded
            params = parallel.fetch(loaded.params)
            if hosts.is_main():
                models.save_hf(folder.base, loaded.config, params, loaded.tokenizer)
            hosts.barrier()  # The others read it next: not before it is there.
            return
    raise ConfigError(
        f"warmup: pass@1 is {reached:.3f} after {config.warmup.attempts} attempts, below "
        f"warmup.min_pass1 {config.warmup.min_pass1}: raise warmup.attempts, lower the bar, or "
        "try other warmup.steps and warmup.learning_rate in another folder"
    )


@dataclasses.dataclass(frozen=True)
class _Attempt:
    """One model trained with draws of its own, going on from its last checkpoint."""

    config: configs.Config
    folder: RunFolder
    base: setup.Base
    shown: Task
    number: int
    stop: StopRequest
    emit: Emit

    def train(self) -> setup.Base:
        config, base = self.config, self.base
        # An update takes the memory of the weights over, so that every attempt needs its own.
        params = _fresh_params(config, base, self.number)
        optimizer = _optimizer(config.warmup, config.model.param_dtype)
        state = create(params, optimizer, base.mesh)
        modules = Modules(base.loaded.graphdef, base.loaded.graphdef)
        each = Pass(
            temperature=1.0,
            micro_batch=config.optimizer.micro_batch or config.warmup.batch_size,
            shards=Shards.of(base.mesh, base.loaded.config.vocab_size),
        )
        step = keep_sharding(Update(modules, likelihood, optimizer, each), state)
        home = self.folder.warmup_checkpoints / f"attempt-{self.number}"
        with contextlib.closing(Checkpoints(home, keep=2)) as checkpoints:
            return setup.with_params(base, self._steps(step, state, checkpoints).trained)

    def _steps(self, step: Any, state: TrainState, checkpoints: Checkpoints) -> TrainState:
        options, done = self.config.warmup, 0
        if (found := checkpoints.restore_newest(state, say=warn, set_aside=True)) is not None:
            done, state, _ = found
        often = max(25, options.steps // 10)
        console = Console(f"{self.config.name} warm-up", options.steps, line_every=often)
        before: Any = None
        with console.shown(done):
            for number in range(done, options.steps):
                with compiling(number == done, console.say):
                    state, metrics, _ = step(state, None, *self._drawn(number))
                # The host is one step ahead of the devices and no more: what was handed to them
                # has to be done before it can be left.
                jax.block_until_ready(before)
                before = metrics
                if number % 25 == 24 or number + 1 == options.steps:
                    values = {n: float(value) for n, value in reduce.values(metrics).items()}
                    console.step(number + 1, values)
                    self.emit(WarmupStepDone(number + 1, options.steps, values))
                self._save(number + 1, state, checkpoints)
        return state

    def _drawn(self, step: int) -> tuple[Sequences, Terms, jax.Array, jax.Array]:
        """What a step learns from: demonstrations, a key, and its number."""
        options = self.config.warmup
        root = jax.random.fold_in(jax.random.key(self.config.seed), self.number)
        drawn = self.number * options.steps + step
        batch = _batch(self.shown, self.base, drawn, options.batch_size)
        return *batch, derive(root, Purpose.LOSS, step), jnp.int32(step)

    def _save(self, done: int, state: TrainState, checkpoints: Checkpoints) -> None:
        """Save where that is due, and leave if asked to."""
        leaving = self.stop.asked()
        if done % self.config.warmup.checkpoint_every == 0 or leaving:
            checkpoints.save(done, state, {})
        if leaving:
            checkpoints.wait()
            raise self.stop.stopped()


def _optimizer(options: configs.Warmup, dtype: str) -> optax.GradientTransformation:
    schedule = make_schedule(
        "cosine",
        options.learning_rate,
        warmup_steps=int(_RISE * options.steps),
        total_steps=options.steps,
        end_factor=_FINAL,
    )
    return make_optimizer(
        schedule, weight_decay=options.weight_decay, clip_norm=options.clip_norm, dtype=dtype
    )


def _fresh(config: configs.Config, attempt: int) -> setup.Base:
    if config.model.source != "random":
        return setup.open_base(config, config.model.source)
    return setup.open_random(config, _model_key(config, attempt))


def _model_key(config: configs.Config, attempt: int) -> jax.Array:
    return derive(jax.random.key(config.seed), Purpose.MODEL, attempt)


def _fresh_params(config: configs.Config, base: setup.Base, attempt: int) -> Any:
    if config.model.source != "random":
        return jax.tree.map(jnp.copy, base.loaded.params)
    options = setup.model_options(config, base.mesh)
    _, params = models.init(base.loaded.config, _model_key(config, attempt), **options)
    return place(base.mesh, params)


def _batch(task: Task, base: setup.Base, step: int, count: int) -> tuple[Sequences, Terms]:
    shown: Demonstrations = task.demonstrations(step, count)
    rows = parallel.batch_sharding(base.mesh, count)
    arrays = (shown.prompt_tokens, shown.prompt_mask, shown.tokens, shown.mask)
    sequences = Sequences(*parallel.shard(arrays, rows))
    # The update puts the policy's own figures in the place of these zeros.
    return sequences, Terms(logps=jnp.zeros_like(sequences.mask), mask=sequences.mask)


def _pass1(config: configs.Config, base: setup.Base, stop: StopRequest) -> float:
    with stage("evaluating the warm-up") as told:
        result = evaluate_model(
            config,
            base,
            (base.loaded.graphdef, base.loaded.params),
            Asked("warmup", 0, config.eval.num_samples_during),
            progress=told.leaving(lambda: stop.leave_if_asked(lambda: None)),
        )
    return result.summary()["pass@1"]["mean"]
