"""Whether what samples is what is trained: its log-probabilities against those of scoring."""

import jax

from sage_jax import config as configs
from sage_jax.run.console import warn
from sage_jax.run.events import Event, StepDone

EXACT, ROUGH = 1e-3, 0.1
"""Nats a token, on average. Float32 on a CPU differs by the order of sums alone; bfloat16, and what
accelerators make of float32, by products of 8 to 10 bits."""


class SamplerGap:
    """A listener that tells, once, where the sampler is not the policy that is trained.

    It looks at the metric `sampler_gap` of each step, the first one included: the mean over its
    tokens of |log pi(y) as scored - log pi(y) as sampled|, both before the update. An adapter that
    one of the two lacks, or stale weights, show there as soon as there is an adapter to lack.

    Args:
        config: of the run.
    """

    def __init__(self, config: configs.Config):
        plain = config.model.compute_dtype == "float32" and jax.default_backend() == "cpu"
        self._bound, self._told = EXACT if plain else ROUGH, False

    def __call__(self, event: Event) -> None:
        """Look at a step."""
        if not isinstance(event, StepDone) or self._told:
            return
        gap = event.metrics.get("sampler_gap", 0.0)
        # What is not finite is told of by others, with its cause.
        if gap > self._bound:
            self._told = True
            warn(
                f"step {event.step}: log-probabilities of sampling and of scoring differ by "
                f"{gap:.2g} nats a token, more than rounding would ({self._bound:g}): what samples "
                "is not quite what is trained; loss.sampler_correction weighs it"
            )
