"""The guide `gated` against NumPy, its statistics of the whole batch, and what it refuses."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sage_jax.losses import (
    Terms,
    chain,
    gates,
    guides,
    objective,
    recipes,
    reshape,
    reverse_kl,
    schedules,
)

pytestmark = pytest.mark.usefixtures("x64")


def _terms(values, mask, **fields):
    values, mask = jnp.asarray(values), jnp.asarray(mask)
    return Terms(-values, mask, ref_logps=-values, **fields)


def _rows(terms, start, stop):
    return jax.tree.map(lambda x: x[start:stop], terms)


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("width", [0.0, 0.25])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_gated_equals_numpy(dtype, width, jit):
    rng = np.random.default_rng(1)
    entropies = jnp.asarray(rng.uniform(0.0, 3.0, size=(6, 9)), dtype)
    mask = np.arange(9) < np.array([9, 5, 1, 2, 0, 3])[:, None]
    function = functools.partial(guides.gated, low=0.2, high=1.7, threshold=1.3, width=width)
    found = (jax.jit(function) if jit else function)(entropies, jnp.asarray(mask))
    assert found.dtype == ("float64" if dtype == "float64" else "float32")
    above = np.asarray(entropies, np.float64) - 1.3
    share = 1.0 / (1.0 + np.exp(-above / width)) if width else above >= 0
    np.testing.assert_allclose(found, mask * (np.log(0.2) + np.log(1.7 / 0.2) * share), atol=2e-6)
    assert not np.any(
        jax.grad(lambda x: jnp.sum(function(x, jnp.asarray(mask)).astype(float)))(entropies)
    )


def test_a_smooth_gate_tends_to_the_hard_one_and_stays_in_its_bounds():
    entropies = jnp.linspace(0.0, 3.0, 61).at[24].set(1.25)
    hard = guides.gate_factor(entropies)
    np.testing.assert_allclose(guides.gate_factor(entropies, width=1e-4), hard, atol=1e-12)
    smooth = guides.gate_factor(entropies, width=0.3)
    assert np.all((smooth > 0.1) & (smooth < 1.0))
    middle = guides.gate_factor(jnp.float64(1.2), width=0.3)
    np.testing.assert_allclose(middle, np.sqrt(0.1), rtol=1e-12)


def test_knobs_of_a_row_broadcast():
    entropies = jnp.asarray([[0.5, 1.5], [0.5, 1.5]])
    found = guides.gate_factor(entropies, threshold=jnp.array([[1.0], [0.2]]), low=0.3)
    np.testing.assert_allclose(found, [[0.3, 1.0], [1.0, 1.0]])


def test_by_default_the_references_entropy_opens_the_gate():
    values, mask = np.array([[0.5, 2.0]]), np.ones((1, 2))
    terms = _terms(values, mask, entropies=jnp.asarray(values[:, ::-1]), ref_entropies=values)
    by_reference = guides.gated_guide()(terms, step=0, key=None)
    np.testing.assert_allclose(np.exp(by_reference), [[0.1, 1.0]])
    by_policy = guides.gated_guide(source="policy")(terms, step=0, key=None)
    np.testing.assert_allclose(np.exp(by_policy), [[1.0, 0.1]])
    assert guides.gated_guide().needs == {"ref_entropies"}
    assert guides.gated_guide(source="policy").needs == {"entropies"}
    with pytest.raises(ValueError, match=r"terms\.ref_entropies is None; the guide gated needs it"):
        guides.gated_guide()(_terms(values, mask), step=0, key=None)


def test_the_threshold_may_fall_over_the_steps_of_a_run():
    values = np.array([[1.5, 2.5]])
    terms = _terms(values, np.ones((1, 2)), ref_entropies=jnp.asarray(values))
    guide = guides.gated_guide(threshold=(3.0, 1.0), max_steps=100)
    opened = [np.exp(guide(terms, step=s, key=None))[0].tolist() for s in (0, 50, 99)]
    np.testing.assert_allclose(opened, [[0.1, 0.1], [0.1, 1.0], [1.0, 1.0]])
    rising = guides.gated_guide(low=schedules.cyclic(0.4, 0.2, max_steps=8, num_cycles=1))
    np.testing.assert_allclose(np.exp(rising(terms, step=4, key=None)), 1.0)


def _held(entropies, above, high, target, gain, low, q_max):
    short = target - entropies[above].mean() if above.any() else 0.0
    return np.clip(high * np.exp(gain * short), low, q_max)


@pytest.mark.parametrize(
    "target", [0.1, 1.9, 2.1, 9.0], ids=["far below", "near", "above", "far above"]
)
def test_share_and_hold_equal_numpy(target):
    rng = np.random.default_rng(2)
    entropies, reference = rng.uniform(0.0, 4.0, size=(2, 5, 8))
    mask = np.arange(8) < np.array([8, 3, 0, 6, 1])[:, None]
    spoiled = jnp.where(mask, reference, jnp.nan), jnp.where(mask, entropies, jnp.nan)
    terms = _terms(reference, mask, ref_entropies=spoiled[0], entropies=spoiled[1])
    options: dict[str, Any] = {"low": 0.2, "high": 0.8, "gain": 0.7, "q_max": 3.0}
    guide = guides.gated_guide(share=0.3, hold=target, **options)
    assert guide.before_split is not None
    prepared = guide.before_split(terms, step=0, key=None)
    assert prepared.gate_threshold is not None
    assert prepared.gate_high is not None
    threshold = np.quantile(reference[mask], 0.7)
    high = _held(entropies, mask & (reference >= threshold), target=target, **options)
    np.testing.assert_allclose(prepared.gate_threshold, np.full(5, threshold), rtol=1e-12)
    np.testing.assert_allclose(prepared.gate_high, np.full(5, high), rtol=1e-12)
    found = guide(prepared, step=0, key=None)
    expected = np.where(mask, np.log(np.where(reference >= threshold, high, 0.2)), 0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_array_equal(guide(terms, step=0, key=None), found)


@pytest.mark.parametrize(("cover", "high"), [(1.0, 0.8 * np.exp(2.0 / 3)), (0.1, 0.5)])
def test_covering_pulls_harder_the_fewer_groups_have_a_right_answer(cover, high):
    """Two groups of three have one: 2/3 is above the one target and below the other."""
    rates = jnp.array([0.5, 0.5, 0.0, 0.0, 1.0, 1.0])
    reference = jnp.full((6, 2), 2.0).at[:, 0].set(0.5)
    terms = _terms(reference, np.ones((6, 2), bool), ref_entropies=reference, pass_rate=rates)
    guide = guides.gated_guide(cover=cover, high=0.8, low=0.5, gain=2.0)
    assert guide.needs == {"ref_entropies", "pass_rate"}
    assert guide.before_split is not None
    prepared = guide.before_split(terms, step=0, key=None)
    found = guide(jax.tree.map(lambda x: x[:2], prepared), step=0, key=None)
    np.testing.assert_allclose(found, np.log([[0.5, high]] * 2), rtol=1e-6)


def test_with_nothing_above_the_threshold_high_is_left_as_it_is():
    nothing = guides.held_high(jnp.ones((2, 3)), jnp.zeros((2, 3)), high=0.9, target=5.0)
    assert float(nothing) == pytest.approx(0.9)


def test_holding_pulls_harder_the_lower_the_policys_entropy():
    above = jnp.ones((1, 4))
    highs = [guides.held_high(h * above, above, high=1.0, target=1.5) for h in (2.0, 1.5, 1.0, 0.5)]
    assert np.all(np.diff(highs) > 0)
    np.testing.assert_allclose(highs[1], 1.0)


def test_micro_batches_and_devices_add_up_to_the_whole(make_arrays, make_terms):
    arrays = make_arrays(3)
    batch = make_terms(jnp.asarray(arrays["logits"]), arrays, vocabulary=False)
    guide = guides.gated_guide(share=0.3, hold=1.9, gain=0.5)
    loss = recipes.sage(guide, kl_coef=0.5)
    assert loss.needs >= {"ref_entropies", "ref_logps", "old_logps"}
    assert loss.old_logps

    @jax.jit
    def total(part: Terms):
        def value(logps):
            return loss(dataclasses.replace(part, logps=logps), step=7, key=None)[0].sum

        return jax.value_and_grad(value)(part.logps)

    def added(whole: Terms):
        parts = [total(_rows(whole, *ends)) for ends in ((0, 3), (3, 8))]
        return sum(value for value, _ in parts), np.concatenate([grad for _, grad in parts])

    prepare = jax.jit(functools.partial(loss.prepared, step=7, key=None))
    whole = total(batch)
    for found in (total(prepare(batch)), added(prepare(batch))):
        np.testing.assert_allclose(found[0], whole[0], rtol=1e-12)
        np.testing.assert_allclose(found[1], whole[1], atol=1e-14)
    mesh = Mesh(np.array(jax.devices()[:8]), ("data",))
    sharded = prepare(jax.device_put(batch, NamedSharding(mesh, PartitionSpec("data"))))
    np.testing.assert_allclose(total(sharded)[0], whole[0], rtol=1e-12)
    assert abs(added(batch)[0] - whole[0]) > 1e-3  # Each part by its own statistics.


def test_only_one_guide_takes_statistics_of_the_whole_batch():
    first, second = guides.gated_guide(share=0.3), guides.gated_guide(hold=2.0)
    both = chain(reshape(first), reshape(second))
    with pytest.raises(ValueError, match="the guides gated and gated take statistics of the whole"):
        objective(reverse_kl(), lambda losses, terms: losses, transform=both)  # pyright: ignore
    fixed = chain(reshape(first), reshape(guides.gated_guide()))
    made = objective(reverse_kl(), lambda losses, terms: losses, transform=fixed)  # pyright: ignore
    assert made.before_split is not None
    assert recipes.grpo().prepared(made, step=0, key=None) is made  # pyright: ignore


def test_as_a_gate_it_is_the_same_factor():
    entropies = jnp.asarray([[0.8, 1.1, 1.9]])
    for options in ({}, {"low": 0.3, "high": 2.0, "threshold": 1.0, "width": 0.2}):
        found = gates.entropy(entropies, **options)
        np.testing.assert_array_equal(found, guides.gate_factor(entropies, **options))
    with pytest.raises(ValueError, match=r"low is 2\.0 and high is 1.0; 0 < low <= high must hold"):
        gates.entropy(entropies, low=2.0)
    with pytest.raises(ValueError, match=r"width is -1\.0; it must be 0 or more"):
        gates.entropy(entropies, width=-1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 0.0}, "low is 0.0 and high is 1.0; 0 < low <= high must hold"),
        ({"low": 0.5, "high": 0.4}, "low is 0.5 and high is 0.4; 0 < low <= high must hold"),
        ({"width": -0.1}, "width is -0.1; it must be 0 or more"),
        ({"threshold": -1.0}, "threshold is -1.0; it must be 0 or more"),
        ({"threshold": (2.0, 1.0)}, "max_steps is None; threshold falls from 2.0 to 1.0"),
        ({"source": "old"}, "source is 'old'; it must be policy or ref"),
        ({"share": 1.0}, "share is 1.0; it must be above 0 and below 1"),
        ({"hold": 0.0}, "hold is 0.0; it must be above 0"),
        ({"cover": 1.5}, "cover is 1.5; it must be above 0 and at most 1"),
        ({"cover": 0.5, "hold": 1.0}, "hold is 1.0 and cover 0.5; `high` is adapted by one"),
        ({"cover": 0.5, "q_max": 0.5}, "q_max is 0.5 and high is 1.0; q_max >= high must hold"),
        ({"gain": 0.0}, "gain is 0.0; it must be above 0"),
        ({"hold": 1.0, "q_max": 0.5}, "q_max is 0.5 and high is 1.0; q_max >= high must hold"),
    ],
)
def test_refused_with_a_message(options, message):
    with pytest.raises(ValueError, match=message):
        guides.gated_guide(**options)
