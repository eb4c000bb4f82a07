"""Names of metrics as users of TRL know them.

TRL's are those of its GRPOTrainer, 1.16; what has none there keeps the name of metrics.jsonl.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sage_jax.rollout import Finish
from sage_jax.run.judging import Outcome

TRL = {
    "kl/reference": "kl",
    "length/mean": "completions/mean_length",
    "length/max": "completions/max_length",
    "truncated": "completions/clipped_ratio",
    "groups/zero_variance": "frac_reward_zero_std",
    "clip/low": "clip_ratio/low_mean",
    "clip/high": "clip_ratio/high_mean",
    "clip/region": "clip_ratio/region_mean",
    "sampler_gap": "sampling/sampling_logp_difference/mean",
    "sampler/weight": "sampling/importance_sampling_ratio/mean",
    "seconds/step": "step_time",
}
"""Metrics of ours, and what TRL calls the same figure where it has another name for it."""

OURS = {"kl": "kl_anchor", "kl/gate": "kl_gate"}
"""Metrics whose own name is beside one of TRL's that means something else."""

EVAL = {
    "mean_length": "completions/mean_length",
    "truncated": "completions/clipped_ratio",
    "lost": "verdicts/lost",
}
"""Means over completions of an evaluation."""


def of_step(metrics: Mapping[str, Any]) -> dict[str, float]:
    """A line of metrics.jsonl under the names of trackers.

    >>> of_step({"step": 3, "reward": 0.5, "reward/math": 1.0, "kl/reference": 0.1, "loss": None})
    {'train/reward': 0.5, 'train/rewards/math/mean': 1.0, 'train/kl': 0.1}
    """
    return {
        f"train/{_name(name)}": float(value)
        for name, value in metrics.items()
        if name != "step" and _is_figure(value)
    }


def of_batch(outcome: Outcome) -> dict[str, float]:
    """What TRL tells of completions beside what metrics.jsonl has.

    Deviations are those of samples (divided by n - 1); lengths of ended completions are 0 where
    none has ended, as there.
    """
    judged, lengths = outcome.judged, outcome.lengths
    ended = lengths[outcome.finish != Finish.LENGTH]
    ended = ended if ended.size else np.zeros(1)
    found = {"reward_std": _deviation(judged.rewards)}
    for name, part in judged.parts.items():
        found[f"rewards/{name}/std"] = _deviation(part[~np.isnan(part)])
    found["completions/min_length"] = float(lengths.min())
    for word in ("mean", "min", "max"):
        found[f"completions/{word}_terminated_length"] = float(getattr(ended, word)())
    return {f"train/{name}": value for name, value in found.items() if _is_figure(value)}


def of_evaluation(summary: Mapping[str, Any]) -> dict[str, float]:
    """The summary of an evaluation; bounds of an interval end in `_low` and `_high`.

    >>> of_evaluation({"pass@1": {"mean": 0.5, "low": 0.4, "high": 0.6}, "mean_length": 7.0})
    {'eval/pass@1': 0.5, 'eval/pass@1_low': 0.4, 'eval/pass@1_high': 0.6, \
'eval/completions/mean_length': 7.0}
    """
    found = {}
    for name, value in summary.items():
        if isinstance(value, Mapping):
            found |= {name: value["mean"], f"{name}_low": value["low"]}
            found[f"{name}_high"] = value["high"]
        else:
            found[EVAL.get(name, name)] = value
    return {f"eval/{name}": float(value) for name, value in found.items() if _is_figure(value)}


def _name(name: str) -> str:
    if name.startswith("reward/"):
        return f"rewards/{name.removeprefix('reward/')}/mean"
    return (TRL | OURS).get(name, name)


def _deviation(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else math.nan


def _is_figure(value: Any) -> bool:
    # No tracker draws NaN or infinity, and some refuse them with all that comes along.
    return isinstance(value, int | float) and math.isfinite(value)
