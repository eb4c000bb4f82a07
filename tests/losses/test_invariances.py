"""However a batch is cut, over devices or into micro-batches, its loss is one: the library's parts.

Every batch goes the way that a trainer goes: rewards of rows, advantages of groups, what parts take
from the whole batch, and then sums, counts and gradients of pieces. `test_splits.py` has SAGE's own
parts, all reductions and the choices of Clip-Cov and KL-Cov.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sage_jax.losses import (
    Objective,
    Terms,
    advantages,
    by_name,
    from_logits,
    gates,
    guides,
    outcome,
    recipes,
    reduce,
    reverse_kl,
    surrogates,
    terms,
)
from sage_jax.rewards import parts

pytestmark = pytest.mark.usefixtures("x64")
# These programs run for microseconds: compile them fast instead of well.
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
G, PAIRS = 4, [slice(n, n + 2) for n in range(0, 8, 2)]
RIGHT = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
EXACT, K1 = reverse_kl(estimator="exact"), reverse_kl(estimator="k1")
AS_IT_IS = reverse_kl(estimator="exact", renormalize=False)


def sage(guide: Any = None, **options: Any) -> Objective:
    """With a coefficient at which the KL is no smaller than the policy gradient."""
    dapo = by_name.reduction(reduce.dapo)
    return recipes.sage(guide, **{"kl_coef": 0.5, "reduction": dapo, **options})


CASES: Mapping[str, Objective] = {
    "plain": sage(),
    "rival": sage(guides.rival_guide(q_max=4.0)),
    "rival, in the reward": sage(guides.rival_guide(), divergence=K1, kl_in="reward"),
    "tempered": sage(guides.tempered_guide(ramp=3)),
    "tempered, by reward": sage(guides.tempered_guide(by_reward=True)),
    "tempered, vocabulary": sage(guides.tempered_guide(over="vocabulary"), divergence=EXACT),
    "support": sage(guides.support_guide(top_k=2), divergence=EXACT),
    "gated": sage(guides.gated_guide(width=0.2)),
    "gated, share": sage(guides.gated_guide(share=0.4)),
    "gated, hold": sage(guides.gated_guide(threshold=1.0, hold=1.5)),
    "gated, cover": sage(guides.gated_guide(threshold=1.0, cover=0.9)),
    "unlikely": sage(gates=[by_name.gate(gates.unlikely, share=0.3, elsewhere=0.2)]),
    "entropy": sage(gates=[gates.entropy]),
    "pass_rate": sage(gates=[by_name.gate(gates.pass_rate, at_least=0.5)]),
    "hinge_equal": sage(gates=[by_name.gate(gates.hinge_equal, distance=0.3)]),
    "exact, in the advantages": sage(
        guides.support_guide(top_k=2), divergence=EXACT, kl_in="advantage", gates=[gates.wrong]
    ),
    "exact as it is, in the advantages": sage(
        guides.gated_guide(share=0.4), divergence=AS_IT_IS, kl_in="advantage"
    ),
    **{
        name: sage(surrogate=by_name.surrogate(getattr(surrogates, name), **options))
        for name, options in {
            "cispo": {"eps_high": 0.1},
            "sapo": {},
            "dppo": {"threshold": 0.02},
            "vespo": {},
        }.items()
    },
    "overlong": sage(),
    "truncated rows": sage(),
    "truncated rows, by sequence": sage(reduction=by_name.reduction(reduce.grpo)),
}
OF_THE_BATCH = ("gated, share", "gated, hold", "gated, cover", "unlikely")
AT = {"step": 3, "key": None}


def ready(name: str, batch: Terms, pieces: Sequence[slice]) -> Terms:
    """Terms with all that is of the whole batch; distances over the vocabulary piece by piece."""
    loss, rewards = CASES[name], batch.rewards
    assert rewards is not None
    if name == "overlong":
        rewards = rewards + parts.overlong(batch.tokens, batch.mask, cache=3)
    if name.startswith("truncated rows"):  # Those that fill the room.
        ended = batch.mask.min(axis=1, keepdims=True) < 1
        batch = dataclasses.replace(batch, mask=jnp.where(ended, batch.mask, 0.0))
    known = outcome.with_outcome(terms.with_batch_statistics(batch), rewards, group_size=G)
    values = loss.anchored(rewards, known, **AT)
    values = advantages.group(values, group_size=G)
    known = dataclasses.replace(known, advantages=values)
    if loss.distances is not None:
        whole = loss.prepared(known, **AT)
        found = [loss.distances(cut(whole, piece), **AT) for piece in pieces]
        known = dataclasses.replace(known, distances=jnp.concatenate(found))
    values = loss.tilted(values, known, group_size=G, **AT)
    return loss.prepared(dataclasses.replace(known, advantages=values), **AT)


def cut(batch: Any, piece: slice) -> Any:
    return jax.tree.map(lambda x: x[piece], batch)


@quick_jit
def every_ready(batch: Terms) -> dict[str, Terms]:
    return {name: ready(name, batch, [slice(0, 8)]) for name in CASES}


@quick_jit
def measured_in_pairs(batch: Terms) -> dict[str, Terms]:
    return {name: ready(name, batch, PAIRS) for name, loss in CASES.items() if loss.distances}


@quick_jit
def every_loss(given: dict[str, Terms]) -> dict[str, Any]:
    """By case: sum, count, metrics, and the sum's gradient with respect to the logits."""

    def one(name, batch):
        def total(logits):
            logps, entropies = from_logits(logits, batch.tokens, batch.mask)
            new = {"logits": logits, "logps": logps, "entropies": entropies}
            mean, metrics = CASES[name](dataclasses.replace(batch, **new), **AT)
            return mean.sum, (mean.count, metrics)

        (value, (number, metrics)), pull = jax.value_and_grad(total, has_aux=True)(batch.logits)
        return {"sum": value, "count": number, "metrics": metrics, "gradient": pull}

    return {name: one(name, batch) for name, batch in given.items()}


def added(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "sum": sum(one["sum"] for one in found),
        "count": sum(one["count"] for one in found),
        "gradient": np.concatenate([one["gradient"] for one in found]),
        "metrics": functools.reduce(reduce.merge, (one["metrics"] for one in found)),
    }


@pytest.fixture(scope="module")
def batch(make_arrays, make_terms) -> Terms:
    with jax.enable_x64(True):
        arrays = make_arrays(9, length=5, vocab=6)
        arrays["mask"][:4] = np.arange(5) < np.array([5, 3, 4, 2])[:, None]
        made = make_terms(jnp.asarray(arrays["logits"]), arrays)
        return dataclasses.replace(made, advantages=None, rewards=jnp.asarray(RIGHT))


@pytest.fixture(scope="module")
def found(batch) -> dict[str, dict[str, Any]]:
    """All cases of the batch whole, in pairs of rows and over eight devices, compiled as one."""
    with jax.enable_x64(True):
        prepared = every_ready(batch)
        by_pairs = prepared | measured_in_pairs(batch)
        in_pairs = [every_loss(cut(by_pairs, piece)) for piece in PAIRS]
        mesh = Mesh(np.array(jax.devices()[:8]).reshape(8), ("data",))
        by_row = NamedSharding(mesh, PartitionSpec("data"))
        spread = jax.device_put(every_ready(jax.device_put(batch, by_row)), by_row)
        return {
            "whole": every_loss(prepared),
            "in pairs": {name: added([one[name] for one in in_pairs]) for name in CASES},
            "on devices": every_loss(spread),
        }


@pytest.mark.parametrize("way", ["in pairs", "on devices"])
@pytest.mark.parametrize("name", CASES)
def test_a_batch_in_parts_has_the_loss_of_the_whole(found, name, way):
    ours, whole = found[way][name], found["whole"][name]
    # Counts are eighths, which add up exactly. Else the order of sums over 8 rows differs, by some
    # roundings of 2e-16: seen are 7e-15 of a sum of 32 and 6e-16 of a gradient of 2.
    np.testing.assert_array_equal(ours["count"], whole["count"])
    for of in ("sum", "gradient"):
        np.testing.assert_allclose(ours[of], whole[of], rtol=1e-14, atol=1e-14, err_msg=of)
    for metric, value in reduce.values(whole["metrics"]).items():
        theirs = ours["metrics"][metric].value()
        np.testing.assert_allclose(theirs, value, rtol=1e-14, atol=1e-14, err_msg=metric)


@pytest.mark.parametrize("name", [name for name in CASES if name != "plain"])
def test_every_part_acts_on_this_batch(found, name):
    own, plain = (found["whole"][one]["gradient"] for one in (name, "plain"))
    assert np.isfinite(own).all()
    assert np.abs(own - plain).max() > 1e-3


def test_what_is_of_the_whole_batch_cannot_be_taken_of_a_part(batch):
    """Else the test above would not see whether it is taken before the cut."""

    @quick_jit
    def sums(piece):
        return {name: CASES[name](piece[name], **AT)[0].sum for name in OF_THE_BATCH}

    prepared = every_ready(batch)
    bare = {"chosen": None, "gate_threshold": None, "gate_high": None}
    alone = {name: dataclasses.replace(prepared[name], **bare) for name in OF_THE_BATCH}
    whole = sums({name: prepared[name] for name in OF_THE_BATCH})
    pieces = [sums(cut(alone, piece)) for piece in PAIRS]
    for name in OF_THE_BATCH:
        assert abs(sum(piece[name] for piece in pieces) - whole[name]) > 1e-3, name
