"""Supervised fine-tuning on demonstrations: the model that reinforcement learning starts from."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from sage_jax import config as configs
from sage_jax import models, parallel
from sage_jax.config import ConfigError
from sage_jax.data.tasks import Demonstrations, Task
from sage_jax.losses import Terms, reduce
from sage_jax.train import setup
from sage_jax.train.checkpoint import Checkpoints
from sage_jax.train.console import Console
from sage_jax.train.evaluation import evaluate_model
from sage_jax.train.keys import Purpose, derive
from sage_jax.train.optimizer import make_optimizer, make_schedule
from sage_jax.train.policy import Policy
from sage_jax.train.run_folder import RunFolder
from sage_jax.train.sequences import Sequences
from sage_jax.train.state import TrainState
from sage_jax.train.stop import StopRequest
from sage_jax.train.update import update

_RISE, _FINAL = 0.1, 0.05  # Share of the steps spent rising; learning rate left at the end.


def likelihood(terms: Terms, *, step: Any, key: Any) -> tuple[reduce.Mean, reduce.Metrics]:
    """Mean over tokens of -log pi: what supervised fine-tuning minimises."""
    return reduce.bnpo(-terms.logps, terms.mask), {}


def warm_up(config: configs.Config, folder: RunFolder, stop: StopRequest) -> None:
    """Make `folder.base`, unless it is there already.

    Raises:
        ConfigError: if no attempt reached `warmup.min_pass1`.
    """
    if not config.warmup.steps or folder.base.is_dir():
        return
    for attempt in range(config.warmup.attempts):
        base = _attempt(config, folder, attempt, stop)
        reached = _pass1(config, base)
        if reached >= config.warmup.min_pass1:
            models.save_hf(
                folder.base, base.loaded.config, base.loaded.params, base.loaded.tokenizer
            )
            return
    raise ConfigError(
        f"warmup: pass@1 is {reached:.3f} after {config.warmup.attempts} attempts, below "
        f"warmup.min_pass1 {config.warmup.min_pass1}: raise warmup.steps, try another "
        "warmup.learning_rate, or lower the bar"
    )


def _attempt(
    config: configs.Config, folder: RunFolder, attempt: int, stop: StopRequest
) -> setup.Base:
    """Train one model from the attempt's own seed, going on from its last checkpoint."""
    root = jax.random.key(config.seed)
    base = _fresh(config, derive(root, Purpose.MODEL, attempt))
    knobs = config.warmup
    optimizer = make_optimizer(
        make_schedule("cosine", knobs.learning_rate, rise_steps=int(_RISE * knobs.steps),
                      total_steps=knobs.steps, final_share=_FINAL),
        weight_decay=knobs.weight_decay, clip_norm=knobs.clip_norm,
    )  # fmt: skip
    state = setup.create_state(base.loaded.params, optimizer, base.mesh)
    policy = Policy(base.loaded.graphdef, base.loaded.graphdef)
    step_fn = jax.jit(
        functools.partial(
            update, policy=policy, loss=likelihood, optimizer=optimizer, temperature=1.0,
            micro_batch=config.optimizer.micro_batch or knobs.batch_size,
        ),
        donate_argnums=0,
    )  # fmt: skip
    checkpoints = Checkpoints(folder.warmup_checkpoints / f"attempt-{attempt}", keep=1)
    try:
        state = _run(config, base, step_fn, state, checkpoints, root, stop)
    finally:
        checkpoints.close()
    return setup.with_params(base, state.trained)


def _fresh(config: configs.Config, key: jax.Array) -> setup.Base:
    if config.model.source != "random":
        return setup.open_base(config, config.model.source)
    mesh = setup.open_mesh(config)
    task = setup.open_task(config, None)
    shape = setup.random_model(config, task)
    graphdef, params = models.init(shape, key, **setup.model_knobs(config))
    loaded = models.Loaded(graphdef, setup.place(mesh, params), shape, None)
    return setup.Base(loaded, task, mesh)


def _run(config: configs.Config, base: setup.Base, step_fn: Any, state: TrainState,
         checkpoints: Checkpoints, root: jax.Array, stop: StopRequest) -> TrainState:  # fmt: skip
    knobs, done = config.warmup, checkpoints.latest() or 0
    if done:
        state, _ = checkpoints.restore(done, state)
    with Console(f"{config.name} warm-up", knobs.steps, done=done, line_every=250) as console:
        for step in range(done, knobs.steps):
            sequences, terms = _batch(base.task, base, step, knobs.batch_size)
            key = derive(root, Purpose.LOSS, step)
            state, metrics = step_fn(state, None, sequences, terms, key, jnp.int32(step))
            if step % 25 == 24 or step + 1 == knobs.steps:
                values = reduce.values(metrics)
                console.step(step + 1, {name: float(value) for name, value in values.items()})
            if (step + 1) % knobs.checkpoint_every == 0 or stop.requested:
                checkpoints.save(step + 1, state, {})
                stop.leave_if_requested(checkpoints.wait)
    return state


def _batch(task: Task, base: setup.Base, step: int, count: int) -> tuple[Sequences, Terms]:
    shown: Demonstrations = task.demonstrations(step, count)
    rows = parallel.batch_sharding(base.mesh, count)
    arrays = (shown.prompt_tokens, shown.prompt_mask, shown.tokens, shown.mask)
    sequences = Sequences(*jax.device_put(arrays, rows))
    # The update puts the policy's own figures in the place of these zeros.
    return sequences, Terms(logps=jnp.zeros_like(sequences.mask), mask=sequences.mask)


def _pass1(config: configs.Config, base: setup.Base) -> float:
    result = evaluate_model(
        config, base, base.loaded.params, tag="warmup", step=0,
        num_samples=config.eval.num_samples_during,
    )  # fmt: skip
    return result.summary()["pass@1"]["mean"]
