"""The pure part of training: policy, log-probabilities, update; no config and no files."""

from sage_jax.learn.keys import key
from sage_jax.learn.learner import Learner
from sage_jax.learn.placement import create, keep_sharding
from sage_jax.learn.policy import LoRA, Policy, load
from sage_jax.learn.state import TrainState

__all__ = [
    "Learner",
    "LoRA",
    "Policy",
    "TrainState",
    "create",
    "keep_sharding",
    "key",
    "load",
]
