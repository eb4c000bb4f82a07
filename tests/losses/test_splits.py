"""Splitting a batch into micro-batches or over devices changes neither loss nor gradient."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sage_jax.losses import (
    Loss,
    Objective,
    Terms,
    anchors,
    by_name,
    chain,
    clipped_surrogate,
    forward_kl,
    gates,
    guides,
    importance,
    objective,
    outcome,
    policy,
    reduce,
    reshape,
    reverse_kl,
    schedules,
    surrogates,
    terms,
)

REDUCTIONS = ("grpo", "bnpo", "dr_grpo", "dapo")
QUANTILE = 0.4
ROWS = PartitionSpec("data")
# These programs run for microseconds: compile them fast instead of well.
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
pytestmark = pytest.mark.usefixtures("x64")


def _losses(level: importance.Level = "token") -> dict[str, Loss]:
    """Every part that looks at more than one token in one objective, under every reduction."""
    surrogate = clipped_surrogate(
        eps_high=0.28, delta=1.6, level=level, top_entropy_quantile=QUANTILE
    )
    noisy = guides.token_guide(alpha=schedules.cyclic(0.3, 0.1, max_steps=50), sigma=0.25)
    transform = chain(
        reshape(guides.branch_guide()),
        reshape(noisy),
        reshape(guides.random_guide(epsilon=0.5, sigma=0.15)),
    )
    token_loss = importance.corrected(surrogate, mode="truncate", cap=1.2)
    held = (gates.base_pass_rate, gates.unequal, gates.hinge, gates.unclipped, gates.opening)
    ramp = by_name.gate(gates.ramp, at_zero=2.0, at_one=0.5)
    gated = anchors.gate(reverse_kl(), *held, ramp, by_name.gate(gates.wrong, otherwise=0.5))
    token_loss = token_loss + 0.05 * gated + 0.02 * forward_kl(name="kl/forward")
    return {
        name: objective(token_loss, _reduction(name), transform=transform) for name in REDUCTIONS
    }


def _reduction(name: str) -> reduce.Reduction:
    options = {"max_completion_length": 9} if name == "dr_grpo" else {}
    return by_name.reduction(getattr(reduce, name), **options)


@pytest.fixture
def batch(make_arrays, make_terms) -> Terms:
    arrays = make_arrays(3)
    whole = make_terms(jnp.asarray(arrays["logits"]), arrays, vocabulary=False)
    whole = dataclasses.replace(whole, base_pass_rate=jnp.linspace(0.0, 1.0, 8))
    rewards = jnp.array([1.0, 0.0, 0.25, 0.0, 1.0, 0.0, 1.0, 1.0])
    whole = outcome.with_outcome(whole, rewards, group_size=4)  # Of groups that are cut below.
    return terms.with_batch_statistics(whole, top_entropy_quantile=QUANTILE)


def _compiled(losses: Mapping[str, Loss]):
    """(terms) -> by reduction: sum, count, gradient of the sum, metrics; compiled as one."""

    def one(loss: Loss, batch: Terms):
        def total(logps: jax.Array):
            terms_here = dataclasses.replace(batch, logps=logps)
            mean, metrics = loss(terms_here, step=7, key=jax.random.key(5))
            return mean.sum, (mean.count, metrics)

        (value, (count, metrics)), gradient = jax.value_and_grad(total, has_aux=True)(batch.logps)
        return {"sum": value, "count": count, "gradient": gradient, "metrics": metrics}

    return quick_jit(lambda batch: {name: one(loss, batch) for name, loss in losses.items()})


def _rows(batch: Terms, start: int, stop: int) -> Terms:
    return jax.tree.map(lambda x: x[start:stop], batch)


def _assert_same(found, expected):
    for name in REDUCTIONS:
        ours, theirs = found[name], expected[name]
        np.testing.assert_allclose(ours["sum"], theirs["sum"], rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(ours["count"], theirs["count"], rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(ours["gradient"], theirs["gradient"], atol=1e-14)
        values = reduce.values(ours["metrics"])
        for metric, value in reduce.values(theirs["metrics"]).items():
            np.testing.assert_allclose(values[metric], value, rtol=1e-6, err_msg=metric)


def _added(parts):
    return {
        name: {
            "sum": sum(part[name]["sum"] for part in parts),
            "count": sum(part[name]["count"] for part in parts),
            "gradient": np.concatenate([part[name]["gradient"] for part in parts]),
            "metrics": functools.reduce(reduce.merge, (part[name]["metrics"] for part in parts)),
        }
        for name in REDUCTIONS
    }


@pytest.mark.parametrize("level", ["token", "sequence"])
def test_micro_batches_and_devices_add_up_to_the_whole(batch, level):
    function = _compiled(_losses(level))
    whole = function(batch)
    _assert_same(_added([function(_rows(batch, i, i + 2)) for i in (0, 2, 4, 6)]), whole)
    mesh = Mesh(np.array(jax.devices()[:8]), ("data",))
    _assert_same(function(jax.device_put(batch, NamedSharding(mesh, ROWS))), whole)


def test_uneven_micro_batches_add_up_to_the_whole(batch):
    function = _compiled(_losses())
    _assert_same(
        _added([function(_rows(batch, 0, 3)), function(_rows(batch, 3, 8))]), function(batch)
    )


def test_shard_map_with_a_sum_over_devices_gives_the_same(batch):
    losses = _losses()
    mesh = Mesh(np.array(jax.devices()[:8]), ("data",))

    @functools.partial(jax.shard_map, mesh=mesh, in_specs=(ROWS,), out_specs=PartitionSpec())
    def by_device(part: Terms) -> dict[str, jax.Array]:
        means = {
            name: loss(part, step=7, key=jax.random.key(5))[0] for name, loss in losses.items()
        }
        sums = {name: jax.lax.psum((m.sum, m.count), "data") for name, m in means.items()}
        return {name: total / count for name, (total, count) in sums.items()}

    found = quick_jit(by_device)(batch)
    for name, whole in _compiled(losses)(batch).items():
        value = whole["sum"] / whole["count"]
        np.testing.assert_allclose(found[name], value, rtol=1e-12, err_msg=name)


CHOOSING: dict[str, Any] = {
    "clip_cov": {"share": 0.2, "low": -1.0, "high": 2.0},
    "kl_cov": {"share": 0.2},
}


def _of_surrogate(name: str) -> dict[str, Objective]:
    options = CHOOSING.get(name, {})
    shaped = by_name.surrogate(getattr(surrogates, name), **options)
    shaped = policy.entropy_advantage(policy.top_entropy(shaped, QUANTILE))
    token_loss = 2.0 * importance.corrected(shaped) + 0.01 * policy.entropy_bonus()
    return {each: objective(token_loss, _reduction(each)) for each in REDUCTIONS}


@pytest.mark.parametrize("name", [*CHOOSING, "vespo"])
def test_a_surrogate_that_sees_more_than_a_token_is_the_same_in_parts(batch, name):
    losses = _of_surrogate(name)
    function = _compiled(losses)
    prepare = quick_jit(lambda x: losses["grpo"].prepared(x, step=7, key=jax.random.key(5)))
    prepared = prepare(batch)
    assert (prepared.chosen is None) == (name not in CHOOSING)
    whole, pairs = function(prepared), (0, 2, 4, 6)
    _assert_same(_added([function(_rows(prepared, i, i + 2)) for i in pairs]), whole)
    mesh = Mesh(np.array(jax.devices()[:8]), ("data",))
    sharded = prepare(jax.device_put(batch, NamedSharding(mesh, ROWS)))
    _assert_same(function(sharded), whole)
    # A batch that stays whole is prepared by the loss itself, and a part of one only by itself.
    own, _ = losses["bnpo"](batch, step=7, key=jax.random.key(5))
    np.testing.assert_allclose(own.sum, whole["bnpo"]["sum"], rtol=1e-12)
    if name in CHOOSING:
        alone = _added([function(_rows(batch, i, i + 2)) for i in pairs])
        assert abs(alone["bnpo"]["sum"] - whole["bnpo"]["sum"]) > 1e-3


def test_without_the_whole_batchs_statistics_the_split_would_differ(batch):
    loss = _losses()["dapo"]
    bare = dataclasses.replace(batch, rows=None, entropy_threshold=None, tokens_per_row=None)

    @quick_jit
    def total(part: Terms) -> jax.Array:
        return loss(part, step=7, key=jax.random.key(5))[0].sum

    np.testing.assert_allclose(total(bare), total(batch), rtol=1e-12)
    assert abs(total(_rows(bare, 0, 4)) + total(_rows(bare, 4, 8)) - total(batch)) > 1e-3


def test_batch_wide_statistics_are_the_same_on_eight_devices(batch):
    mesh = Mesh(np.array(jax.devices()[:8]), ("data",))
    sharded = jax.device_put(batch, NamedSharding(mesh, ROWS))
    fill = jax.jit(functools.partial(terms.with_batch_statistics, top_entropy_quantile=QUANTILE))
    filled = fill(sharded)
    np.testing.assert_array_equal(filled.entropy_threshold, batch.entropy_threshold)
    np.testing.assert_array_equal(filled.tokens_per_row, batch.tokens_per_row)
