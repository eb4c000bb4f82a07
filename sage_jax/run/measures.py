"""What a step says in numbers: of what was sampled, of time, of memory."""

import resource
import sys
from collections.abc import Mapping

import jax
import numpy as np

from sage_jax.data.tasks import Judged
from sage_jax.rewards import LOST
from sage_jax.rollout import Finish
from sage_jax.run.dynamic_sampling import equal_groups
from sage_jax.run.judging import Outcome


def of_samples(outcome: Outcome, group_size: int) -> dict[str, float]:
    """What completions say before anything is learned from them."""
    judged, lengths = outcome.judged, outcome.lengths
    modes = {"modes/found": modes_found(judged, group_size)} if judged.modes else {}
    return (
        modes
        | of_sources(judged)
        | {
            "reward": float(judged.rewards.mean()),
            "pass@1": float(judged.correct.mean()),
            "length/mean": float(lengths.mean()),
            "length/max": float(lengths.max()),
            "verdicts/lost": float(np.mean([reason in LOST for reason in judged.reasons])),
            "truncated": float((outcome.finish == Finish.LENGTH).mean()),
            "groups/zero_variance": float(equal_groups(judged.rewards, group_size).mean()),
            "tokens/sampled": float(lengths.sum()),
        }
    )


def of_sources(judged: Judged) -> dict[str, float]:
    """The mean reward and the share that is right of each source of a mixture that is there."""
    found, sources = {}, np.array(judged.sources)
    for name in dict.fromkeys(judged.sources):
        own = sources == name
        found[f"reward/{name}"] = float(judged.rewards[own].mean())
        found[f"pass@1/{name}"] = float(judged.correct[own].mean())
    return found


def modes_found(judged: Judged, group_size: int) -> float:
    """Distinct modes among the right completions of a group, the mean over groups.

    >>> right = np.array([True, True, True, False])
    >>> modes_found(Judged(right, right, [], [], modes=["sum", "sum", "product", ""]), 4)
    2.0
    """
    named = np.where(judged.correct, np.array(judged.modes), "").reshape(-1, group_size)
    return float(np.mean([len({*group} - {""}) for group in named.tolist()]))


def of_time(seconds: Mapping[str, float], tokens: float) -> dict[str, float]:
    """Seconds by phase, `step` for all of them, and completion tokens over some."""
    rates = {f"tokens_per_s/{p}": tokens / seconds[p] for p in ("rollout", "update", "step")}
    return {f"seconds/{phase}": value for phase, value in seconds.items()} | rates


def of_memory() -> dict[str, float]:
    """Peak bytes: the device's where it tells, else this process's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "peak_bytes_in_use" in stats:
        return {"memory/peak_bytes": float(stats["peak_bytes_in_use"])}
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"memory/peak_bytes": float(peak * unit)}
