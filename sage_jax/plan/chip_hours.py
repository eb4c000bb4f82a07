"""What a run costs at the least: seconds of a step, and chip-hours."""

import dataclasses
from collections.abc import Sequence

from sage_jax.plan.chips import Chip
from sage_jax.plan.cost import Cost
from sage_jax.plan.roofline import roofline

LOWER_BOUND = (
    "The run's cost is a lower bound: the sum of the estimates above, and as they are for "
    "completions of full length (shorter ones cost less). Not in it: rewards judged on the host, "
    "checkpoints, a warm-up, compiling, and rollouts that replace groups."
)


@dataclasses.dataclass(frozen=True)
class RunCost:
    """Time of a run on its slice.

    Attributes:
        step_seconds: of one step: rollout, scoring and all updates on it.
        steps: of the run.
        devices: of the slice.
    """

    step_seconds: float
    steps: int
    devices: int

    @property
    def hours(self) -> float:
        """The whole run: steps · step_seconds / 3600."""
        return self.steps * self.step_seconds / 3600

    @property
    def chip_hours(self) -> float:
        """Of all devices, as JAX counts them: one of TPU7x is half a chip."""
        return self.devices * self.hours


def run_cost(work: Sequence[Cost], chip: Chip, *, steps: int, devices: int) -> RunCost | None:
    """What `steps` steps cost at the least, or None where the chip's rates are not known.

        step_seconds = Σ max(FLOPs / rate, bytes moved / rate, bytes sent / rate)

    Args:
        work: of one device and step; what cannot overlap stands apart, as prefill and decoding.
        chip: whose peak rates count.
        steps: of the run.
        devices: of the slice.
    """
    seconds = sum(roofline(one, chip).seconds for one in work)
    return RunCost(seconds, steps, devices) if seconds else None
