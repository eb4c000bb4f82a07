"""Parity with figures of the official PyTorch implementation, over every case in the folder."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import (
    InertGuideWarning,
    Loss,
    Terms,
    by_name,
    from_logits,
    guides,
    policy,
    recipes,
    reduce,
    schedules,
    weights,
)

FOLDER = Path(os.environ.get("SAGE_GOLDEN_DIR", Path(__file__).parent.parent / "golden"))
TOLERANCE = {"float64": 1e-6, "float32": 1e-5}
METRICS = {
    "kl": "kl",
    "entropy": "entropy",
    "sage/q_mean": "q/mean",
    "sage/q_min": "q/min",
    "sage/q_max": "q/max",
    "clip_ratio/low_mean": "clip/low",
    "clip_ratio/low_min": "clip/low",
    "clip_ratio/high_mean": "clip/high",
    "clip_ratio/high_max": "clip/high",
    "clip_ratio/region_mean": "clip/region",
}

LOSS_CASES = json.loads((FOLDER / "sage_loss_cases.json").read_text())
GUIDE_FILE = json.loads((FOLDER / "guide_cases.json").read_text())


def _loss(cfg: dict[str, Any]) -> Loss:
    guide = guides.branch_guide(**cfg["guide_kwargs"]) if cfg["guide"] == "branch" else None
    surrogate = policy.clipped_surrogate(
        eps_low=cfg["eps_lo"],
        eps_high=cfg["eps_hi"],
        delta=cfg["delta"],
        level=cfg["level"],
        top_entropy_quantile=cfg["top_entropy_quantile"],
    )
    length = {"max_completion_length": cfg["max_completion_length"]}
    options = length if cfg["loss_type"] == "dr_grpo" else {}
    reduction = by_name.reduction(getattr(reduce, cfg["loss_type"]), **options)
    with warnings.catch_warnings():
        # Some cases pair a guide with beta 0, of which the recipe rightly warns.
        warnings.simplefilter("ignore", InertGuideWarning)
        return recipes.sage(guide, kl_coef=cfg["beta"], surrogate=surrogate, reduction=reduction)


def _value(loss: Loss, case: dict[str, Any], logits: jax.Array) -> tuple[jax.Array, Any]:
    ids, mask = jnp.asarray(case["ids"], jnp.int32), jnp.asarray(case["mask"], logits.dtype)
    logps, entropies = from_logits(logits, ids, mask)
    old_logps, _ = from_logits(jnp.asarray(case["old_logits"], logits.dtype), ids, mask)
    ref_logps, _ = from_logits(jnp.asarray(case["ref_logits"], logits.dtype), ids, mask)
    terms = Terms(
        logps=logps,
        mask=mask,
        advantages=jnp.asarray(case["advantages"], logits.dtype),
        old_logps=old_logps if case["cfg"]["with_old"] else None,
        ref_logps=ref_logps if case["cfg"]["beta"] else None,
        entropies=entropies,
    )
    mean, metrics = loss(terms, step=0, key=None)
    return mean.value(), reduce.values(metrics)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", LOSS_CASES, ids=range(len(LOSS_CASES)))
def test_loss_gradient_and_metrics_equal_the_official_ones(case, dtype):
    tolerance = TOLERANCE[dtype]
    with jax.enable_x64(dtype == "float64"):
        logits, loss = jnp.asarray(case["logits"], dtype), _loss(case["cfg"])
        function = jax.value_and_grad(lambda x: _value(loss, case, x), has_aux=True)
        (value, metrics), gradient = function(logits)
    assert value.dtype == gradient.dtype == dtype
    np.testing.assert_allclose(value, case["loss"], rtol=0, atol=tolerance)
    np.testing.assert_allclose(gradient, np.array(case["grad_logits"]), rtol=0, atol=tolerance)
    assert case["metrics"].keys() <= METRICS.keys()
    for name, expected in case["metrics"].items():
        ours = metrics[METRICS[name]]
        np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance, err_msg=name)
    assert ("kl" in metrics) == ("kl" in case["metrics"])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", GUIDE_FILE["guides"], ids=range(len(GUIDE_FILE["guides"])))
def test_guides_equal_the_official_ones(case, dtype):
    bounds = {"q_min": case["q_min"], "q_max": case["q_max"]}
    with jax.enable_x64(dtype == "float64"):
        mask = jnp.asarray(case["mask"], dtype)
        if case["guide"] == "branch":
            options = {"ratio": case["ratio"], "threshold": case["threshold"]}
            log_q = guides.branch(jnp.asarray(case["entropies"], dtype), mask, **options, **bounds)
        else:
            normalize = getattr(weights, case["norm"])
            source = {"new": "new_logps", "ref": "ref_logps"}[case["use_source"]]
            logps = jnp.asarray(case[source], dtype)
            found = normalize(-logps, mask)
            np.testing.assert_allclose(found, case["weights"], rtol=0, atol=1e-6)
            options = {"alpha": case["alpha"], "sigma": case["sigma"], "normalize": normalize}
            log_q = guides.token(logps, mask, **options, **bounds)
    # The figures themselves were computed in float32.
    np.testing.assert_allclose(np.exp(log_q), case["q"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", GUIDE_FILE["schedules"], ids=range(len(GUIDE_FILE["schedules"])))
def test_schedules_equal_the_official_ones(case, dtype):
    options = {name: case[name] for name in ("max_steps", "num_cycles", "decay_rate")}
    expected = np.array(case["values"])
    with jax.enable_x64(dtype == "float64"):
        steps = jnp.arange(len(expected))
        for column, name in enumerate(("level", "sigma")):
            schedule = schedules.cyclic(case[f"{name}_ub"], case[f"{name}_lb"], **options)
            values = jax.vmap(schedule)(steps)
            assert values.dtype == dtype
            np.testing.assert_allclose(values, expected[:, column], rtol=0, atol=TOLERANCE[dtype])
