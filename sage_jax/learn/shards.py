"""How a pass over rows is cut: over devices, and into blocks of the vocabulary."""

import dataclasses
from typing import Any

import jax
from jax.sharding import Mesh, Sharding

from sage_jax import parallel

# Logits that one device holds at once. On CPU they had better stay in its caches: blocks of 2 MB
# were up to 1.7 times as fast as ones of 32 MB. Elsewhere larger ones use the matrix units better.
_LOGITS_ON_CPU = 2**20
_LOGITS = 2**25
_NARROWEST, _WIDEST = 256, 8192  # Entries of the vocabulary in a block.


@dataclasses.dataclass(frozen=True)
class Shards:
    """Into how many parts rows and vocabulary are cut, and what one part may hold.

    Attributes:
        rows: devices that rows are split over.
        vocab: devices that the vocabulary is split over.
        logits: number of logits that one device holds at once.
        whole: of arrays that every device holds whole.
    """

    rows: int
    vocab: int
    logits: int
    whole: Sharding

    @classmethod
    def of(cls, mesh: Mesh, vocab_size: int) -> "Shards":
        """What a mesh makes of rows and of a vocabulary."""
        logits = _LOGITS_ON_CPU if parallel.on_cpu(mesh) else _LOGITS
        cut = parallel.row_shards(mesh), parallel.vocab_shards(mesh, vocab_size)
        return cls(*cut, logits, parallel.replicated(mesh))

    def settle(self, parts: Any, groups: int) -> Any:
        """Parts that are taken one after the other, whole where `groups` do not fill the devices.

        Left to the compiler such parts lie over some of the devices, and every pass collects what
        it takes of them anew. libtpu 0.0.41 to 0.0.47, those of JAX 0.10.1 to 0.11.1, abort where a
        pass takes one row of what was collected (AllGatherSimplifier).
        """
        even = groups % self.rows == 0
        return parts if even else jax.lax.with_sharding_constraint(parts, self.whole)

    def block_size(self, tokens: int) -> int:
        """Entries of the vocabulary whose logits are held at once, for the tokens of a batch."""
        each = self.logits * self.rows // max(tokens, 1)
        return min(max(each, _NARROWEST), _WIDEST) // _NARROWEST * _NARROWEST
