"""How long a step would take if the chip ran at its peak."""

import dataclasses

from sage_jax.plan.chips import Chip
from sage_jax.plan.cost import Cost

ASSUMPTIONS = (
    "Times are estimates, not measurements: the largest of FLOPs / peak bfloat16 rate, bytes moved "
    "/ peak memory rate and bytes sent / rate of all links out of a chip, as if the three "
    "overlapped and each ran at its peak. Real steps take longer, often two to three times. FLOPs "
    "are those of matrix products; bytes moved count every fused operation's operands and results "
    "once; bytes sent are those of ring algorithms; decoding runs to the full length."
)


@dataclasses.dataclass(frozen=True)
class Roofline:
    """Seconds at the peak rates; 0 where the rate is unknown.

    Attributes:
        compute: FLOPs over the peak rate.
        memory: bytes moved over the peak rate.
        links: bytes sent over the rate of all links.
    """

    compute: float
    memory: float
    links: float

    @property
    def seconds(self) -> float:
        """max(compute, memory, links): nothing can be faster."""
        return max(self.compute, self.memory, self.links)

    @property
    def limit(self) -> str:
        """Which of the three is the largest."""
        parts = dataclasses.asdict(self)
        return max(parts, key=lambda name: parts[name]) if self.seconds else "unknown"


def roofline(cost: Cost, chip: Chip) -> Roofline:
    """The estimate for one step (Williams et al., 2009)."""

    def over(amount: float, rate: float) -> float:
        return amount / rate if rate else 0.0

    return Roofline(
        over(cost.flops, chip.flops),
        over(cost.moved, chip.memory_rate),
        over(cost.sent_in_all, chip.link_rate),
    )
