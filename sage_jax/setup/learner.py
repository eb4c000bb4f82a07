"""Policy, loss and optimiser as one learner, and its first state."""

import jax
import jax.numpy as jnp
import optax

from sage_jax import config as configs
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.learner import Learner
from sage_jax.learn.optimizer import make_optimizer, make_schedule
from sage_jax.learn.policy import LoRA, Policy
from sage_jax.learn.state import TrainState
from sage_jax.setup import objective
from sage_jax.setup.base import Base, Placed


def make_policy(config: configs.Config, base: Placed) -> Policy:
    """The base as a policy to train; its params may be shapes with shardings."""
    lora = config.lora
    adapters = LoRA(lora.rank, lora.alpha, lora.targets) if lora.rank else None
    return Policy(base.loaded, base.mesh, adapters, jnp.dtype(config.model.compute_dtype))


def make_learner(config: configs.Config, base: Placed) -> Learner:
    """What is fixed while a config trains."""
    options = config.optimizer
    return Learner(
        make_policy(config, base),
        loss=objective.make_loss(config),
        optimizer=_optimizer(config, learning_rate(config)),
        advantages=objective.make_advantages(config),
        temperature=config.rollout.temperature,
        micro_batch=options.micro_batch,
        num_minibatches=options.num_minibatches,
        epochs=options.epochs,
        packing=options.packing and config.model.attention == "plain",
        top_entropy_quantile=config.loss.top_entropy_quantile,
        mask_truncated=config.loss.mask_truncated,
    )


def start(config: configs.Config, base: Base, root: jax.Array) -> tuple[Learner, TrainState]:
    """A learner and its state before the first update, which takes the base's weights over."""
    learner = make_learner(config, base)
    return learner, first_state(learner, root)


def first_state(learner: Learner, root: jax.Array) -> TrainState:
    """The state before the first update, which takes the base's weights over."""
    return learner.init(derive(root, Purpose.ADAPTERS), donate=True)


def learning_rate(config: configs.Config) -> optax.Schedule:
    """The learning rate by number of updates."""
    options = config.optimizer
    return make_schedule(
        options.schedule,
        options.learning_rate,
        warmup_steps=options.warmup_steps,
        total_steps=config.total_updates,
        end_factor=options.end_factor,
    )


def _optimizer(config: configs.Config, schedule: optax.Schedule) -> optax.GradientTransformation:
    options = config.optimizer
    return make_optimizer(
        schedule,
        b1=options.b1,
        b2=options.b2,
        eps=options.eps,
        weight_decay=options.weight_decay,
        clip_norm=options.clip_norm,
        # Adapters are float32 whatever they are added to.
        dtype=jnp.float32 if config.lora.rank else config.model.param_dtype,
    )
