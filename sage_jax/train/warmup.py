"""Supervised fine-tuning on demonstrations: the model that reinforcement learning starts from."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from sage_jax import config as configs
from sage_jax import models, parallel
from sage_jax.config import ConfigError
from sage_jax.data.tasks import Demonstrations, Task
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.modules import Modules
from sage_jax.learn.optimizer import make_optimizer, make_schedule
from sage_jax.learn.placement import create, keep_sharding, place
from sage_jax.learn.sequences import Sequences
from sage_jax.learn.shards import Shards
from sage_jax.learn.state import TrainState
from sage_jax.learn.update import update
from sage_jax.losses import Terms, reduce
from sage_jax.parallel import hosts
from sage_jax.train import setup
from sage_jax.train.checkpoint import Checkpoints
from sage_jax.train.console import Console, tell
from sage_jax.train.evaluation import evaluate_model
from sage_jax.train.run_folder import RunFolder
from sage_jax.train.stages import compiling, stage
from sage_jax.train.stop import StopRequest

_RISE, _FINAL = 0.1, 0.05  # Share of the steps spent rising; learning rate left at the end.


def likelihood(terms: Terms, *, step: Any, key: Any) -> tuple[reduce.Mean, reduce.Metrics]:
    """Mean over tokens of -log pi: what supervised fine-tuning minimises."""
    return reduce.bnpo(-terms.logps, terms.mask), {}


def open_and_warm_up(
    config: configs.Config, folder: RunFolder, stop: StopRequest, *, opened: Callable[[], None]
) -> setup.Base:
    """The model that reinforcement learning starts from, made by a warm-up where there is one.

    Args:
        config: of the run.
        folder: keeps the warmed-up model as `folder.base`, where it is found again.
        stop: leaves between steps.
        opened: called once model, task and devices have been found to fit the config.

    Raises:
        ConfigError: if something does not fit, or no attempt reached `warmup.min_pass1`.
    """
    ready = hosts.agree(folder.has_base())
    if ready or not config.warmup.steps:
        source = str(folder.base) if config.warmup.steps else config.model.source
        with stage(f"loading {source} and the problems"):
            base = setup.open_base(config, source)
        opened()
        return base
    with stage(f"loading {config.model.source} and the problems"):
        base = _fresh(config, 0)
    try:
        opened()
        _warm_up(config, folder, base, stop)
        with stage(f"loading {folder.base}"):
            return setup.open_base(config, str(folder.base), task=base.task)
    except BaseException:
        base.task.close()
        raise


def _warm_up(
    config: configs.Config, folder: RunFolder, base: setup.Base, stop: StopRequest
) -> None:
    reached = 0.0
    for attempt in range(config.warmup.attempts):
        trained = _attempt(config, folder, base, attempt, stop)
        reached = _pass1(config, trained, stop)
        if reached >= config.warmup.min_pass1:
            loaded = trained.loaded
            params = parallel.fetch(loaded.params)
            if hosts.is_main():
                models.save_hf(folder.base, loaded.config, params, loaded.tokenizer)
            hosts.any_of(False)  # The others read it next: not before it is there.
            return
    raise ConfigError(
        f"warmup: pass@1 is {reached:.3f} after {config.warmup.attempts} attempts, below "
        f"warmup.min_pass1 {config.warmup.min_pass1}: raise warmup.attempts, lower the bar, or "
        "try other warmup.steps and warmup.learning_rate in another folder"
    )


def _attempt(
    config: configs.Config, folder: RunFolder, base: setup.Base, attempt: int, stop: StopRequest
) -> setup.Base:
    """Train one model with the attempt's own draws, going on from its last checkpoint."""
    root = jax.random.fold_in(jax.random.key(config.seed), attempt)
    # An update takes the memory of the weights over, so that every attempt needs its own.
    params = _fresh_params(config, base, attempt)
    optimizer = _optimizer(config.warmup, config.model.param_dtype)
    state = create(params, optimizer, base.mesh)
    policy = Modules(base.loaded.graphdef, base.loaded.graphdef)
    step_fn = keep_sharding(
        update,
        state,
        modules=policy,
        loss=likelihood,
        optimizer=optimizer,
        temperature=1.0,
        micro_batch=config.optimizer.micro_batch or config.warmup.batch_size,
        shards=Shards.of(base.mesh, base.loaded.config.vocab_size),
    )
    checkpoints = Checkpoints(folder.warmup_checkpoints / f"attempt-{attempt}", keep=2)
    try:
        state = _run(config, base, step_fn, state, checkpoints, root, attempt, stop)
    finally:
        checkpoints.close()
    return setup.with_params(base, state.trained)


def _optimizer(knobs: configs.Warmup, dtype: str) -> optax.GradientTransformation:
    schedule = make_schedule(
        "cosine",
        knobs.learning_rate,
        warmup_steps=int(_RISE * knobs.steps),
        total_steps=knobs.steps,
        end_factor=_FINAL,
    )
    return make_optimizer(
        schedule, weight_decay=knobs.weight_decay, clip_norm=knobs.clip_norm, dtype=dtype
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
    knobs = setup.model_knobs(config, base.mesh)
    _, params = models.init(base.loaded.config, _model_key(config, attempt), **knobs)
    return place(base.mesh, params)


def _run(config: configs.Config, base: setup.Base, step_fn: Any, state: TrainState,
         checkpoints: Checkpoints, root: jax.Array, attempt: int, stop: StopRequest,
         ) -> TrainState:  # fmt: skip
    knobs, done = config.warmup, 0
    if (found := checkpoints.restore_newest(state, say=tell, set_aside=True)) is not None:
        done, state, _ = found
    with Console(f"{config.name} warm-up", knobs.steps, done=done, line_every=250) as console:
        for step in range(done, knobs.steps):
            sequences, terms = _batch(
                base.task, base, attempt * knobs.steps + step, knobs.batch_size
            )
            key = derive(root, Purpose.LOSS, step)
            with compiling(step == done, console.say):
                state, metrics, _ = step_fn(state, None, sequences, terms, key, jnp.int32(step))
            if step % 25 == 24 or step + 1 == knobs.steps:
                values = reduce.values(metrics)
                console.step(step + 1, {name: float(value) for name, value in values.items()})
            leaving = stop.asked()
            if (step + 1) % knobs.checkpoint_every == 0 or leaving:
                checkpoints.save(step + 1, state, {})
            if leaving:
                checkpoints.wait()
                raise stop.stopped()
    return state


def _batch(task: Task, base: setup.Base, step: int, count: int) -> tuple[Sequences, Terms]:
    shown: Demonstrations = task.demonstrations(step, count)
    rows = parallel.batch_sharding(base.mesh, count)
    arrays = (shown.prompt_tokens, shown.prompt_mask, shown.tokens, shown.mask)
    sequences = Sequences(*parallel.spread(arrays, rows))
    # The update puts the policy's own figures in the place of these zeros.
    return sequences, Terms(logps=jnp.zeros_like(sequences.mask), mask=sequences.mask)


def _pass1(config: configs.Config, base: setup.Base, stop: StopRequest) -> float:
    with stage("evaluating the warm-up") as told:
        result = evaluate_model(
            config, base, (base.loaded.graphdef, base.loaded.params), tag="warmup", step=0,
            num_samples=config.eval.num_samples_during,
            progress=told.leaving(lambda: stop.leave_if_asked(lambda: None)),
        )  # fmt: skip
    return result.summary()["pass@1"]["mean"]
