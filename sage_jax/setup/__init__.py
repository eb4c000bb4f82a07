"""From a config to its parts, once, from top to bottom: mesh, task, model, loss, learner."""

from sage_jax.setup.base import (
    Base,
    Placed,
    attention,
    model_options,
    open_base,
    open_demonstrations,
    open_random,
    open_suite,
    open_task,
    random_model,
    reads,
    with_params,
)
from sage_jax.setup.decoding import decoding, filled, sampler
from sage_jax.setup.learner import first_state, learning_rate, make_learner, make_policy, start
from sage_jax.setup.mesh import open_mesh, resolve_mesh
from sage_jax.setup.objective import check, make_advantages, make_guide, make_loss

__all__ = [
    "Base",
    "Placed",
    "attention",
    "check",
    "decoding",
    "filled",
    "first_state",
    "learning_rate",
    "make_advantages",
    "make_guide",
    "make_learner",
    "make_loss",
    "make_policy",
    "model_options",
    "open_base",
    "open_demonstrations",
    "open_mesh",
    "open_random",
    "open_suite",
    "open_task",
    "random_model",
    "reads",
    "resolve_mesh",
    "sampler",
    "start",
    "with_params",
]
