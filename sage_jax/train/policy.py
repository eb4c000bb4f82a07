"""How trained and frozen arrays make up the policy and its reference."""

import dataclasses
from typing import Any

from flax import nnx

from sage_jax import models


@dataclasses.dataclass(frozen=True)
class Policy:
    """The static half of training: which module is called on which arrays.

    With adapters the trained arrays are the adapters and the frozen ones the base weights, which
    also are the reference: no copy is kept. Without, the trained arrays are all weights and the
    frozen ones the reference's, or None where no anchor needs them.

    Attributes:
        graphdef: the policy's module.
        reference_graphdef: the reference's module.
        adapter_alpha: what adapters are scaled by, over their rank; None without adapters.
    """

    graphdef: nnx.GraphDef
    reference_graphdef: nnx.GraphDef
    adapter_alpha: float | None = None

    def params(self, trained: Any, frozen: Any) -> Any:
        """What `models.merge(graphdef, ...)` takes for the policy."""
        return trained if self.adapter_alpha is None else (frozen, trained)

    def folded(self, trained: Any, frozen: Any) -> Any:
        """The policy as plain weights of `reference_graphdef`, for decoding and export."""
        if self.adapter_alpha is None:
            return trained
        return models.lora.fold(frozen, trained, alpha=self.adapter_alpha)
