"""What changes while training."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from sage_jax.learn import masters


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Trained arrays, the optimiser's, and the number of updates made.

    Attributes:
        trained: all weights, or the adapters.
        opt_state: of the optimiser.
        updates: int32 scalar.
    """

    trained: Any
    opt_state: Any
    updates: jax.Array

    @classmethod
    def create(cls, trained: Any, optimizer: optax.GradientTransformation) -> "TrainState":
        """The state before the first update."""
        return cls(trained, optimizer.init(trained), jnp.zeros((), jnp.int32))

    def apply(self, grads: Any, optimizer: optax.GradientTransformation) -> "TrainState":
        """The state after one update."""
        # Optax raises floats to integer counts, which a caller's strict promotion would forbid.
        with jax.numpy_dtype_promotion("standard"):
            changes, opt_state = optimizer.update(grads, self.opt_state, self.trained)
            moved = optax.apply_updates(self.trained, changes)
        return TrainState(masters.settle(moved, opt_state), opt_state, self.updates + 1)

    @property
    def precise(self) -> Any:
        """The trained arrays as the optimiser keeps them: in float32 though they be narrower."""
        return masters.precise(self.trained, self.opt_state)
