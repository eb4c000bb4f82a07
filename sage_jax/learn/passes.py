"""How rows go through a model."""

import dataclasses

from sage_jax.learn.shards import Shards


@dataclasses.dataclass(frozen=True)
class Pass:
    """One pass over rows, forward or forward and backward.

    Attributes:
        temperature: divides the logits.
        micro_batch: rows at once where completions do not share rows; divides their number.
        shards: that rows and vocabulary are split over.
    """

    temperature: float
    micro_batch: int
    shards: Shards
