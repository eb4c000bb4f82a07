"""How trained and frozen arrays make up the policy and its reference."""

import dataclasses
from typing import Any

import jax
from flax import nnx

from sage_jax import models


@dataclasses.dataclass(frozen=True)
class Modules:
    """The static half of training: which module is called on which arrays.

    With adapters the trained arrays are the adapters and the frozen ones the base weights, which
    also are the reference: no copy is kept. Without, the trained arrays are all weights and the
    frozen ones the reference's, or None where no anchor needs them.

    Attributes:
        graphdef: the policy's module.
        reference_graphdef: the reference's module.
        adapter_alpha: what adapters are scaled by, over their rank; None without adapters.
        exact_fold: whether weights are kept and used in float32 or better.
    """

    graphdef: nnx.GraphDef
    reference_graphdef: nnx.GraphDef
    adapter_alpha: float | None = None
    exact_fold: bool = False

    def params(self, trained: Any, frozen: Any) -> Any:
        """What `models.merge(graphdef, ...)` takes for the policy."""
        return trained if self.adapter_alpha is None else (frozen, trained)

    def decoder(self, trained: Any, frozen: Any) -> tuple[nnx.GraphDef, Any]:
        """The policy as (graphdef, params) for decoding.

        In float32 adapters are folded into the weights once, instead of being applied at every
        token. In bfloat16 they stay apart: a change of less than half the last place of a weight
        would be rounded away, and the sampler would not be the policy that is trained.
        """
        if self.adapter_alpha is None:
            return self.graphdef, trained
        if self.exact_fold:
            return self.reference_graphdef, _fold(frozen, trained, alpha=self.adapter_alpha)
        return self.graphdef, (frozen, trained)

    def folded(self, trained: Any, frozen: Any) -> Any:
        """The policy as plain weights, in the dtype of the frozen ones."""
        if self.adapter_alpha is None:
            return trained
        return _fold(frozen, trained, alpha=self.adapter_alpha)


_fold = jax.jit(models.lora.fold, static_argnames="alpha")
