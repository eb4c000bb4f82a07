"""A sampler that is not the policy is told of, once."""

import pytest
from runs import step_done

from sage_jax.run.events import Stopped
from sage_jax.run.sampler_gap import SamplerGap


@pytest.mark.parametrize(("dtype", "small", "large"), [("float32", 9e-4, 2e-3),
                                                       ("bfloat16", 0.09, 0.2)])  # fmt: skip
def test_it_is_told_once_and_only_beyond_rounding(make_config, capsys, dtype, small, large):
    look = SamplerGap(make_config({"model": {"compute_dtype": dtype}}))
    for metrics in ({"sampler_gap": small}, {}, {"sampler_gap": float("nan")}):
        look(step_done(1, metrics))
    assert capsys.readouterr().err == ""
    for step in (2, 3):
        look(step_done(step, {"sampler_gap": large}))
    look(Stopped(None))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert (
        f"step 2: log-probabilities of sampling and of scoring differ by {large:.2g} nats" in said
    )
