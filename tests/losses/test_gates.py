"""Gates: each against plain loops, and what they do to a KL, whatever its estimator and guide."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import (
    Terms,
    anchors,
    by_name,
    clipped_surrogate,
    gates,
    guides,
    kl,
    objective,
    outcome,
    recipes,
    reduce,
    reshape,
    reverse_kl,
    surrogates,
)

pytestmark = pytest.mark.usefixtures("x64")
GRPO = by_name.reduction(reduce.grpo)
# One of four right, all right; the others differ without being right.
REWARDS = np.array([1.0, 0.0, 0.25, 0.0, 1.0, 1.0, 1.0, 1.0])
BASE = np.array([0.0, 0.5, 0.9, 1.0, 0.2, 0.5, 0.95, 0.1])


@pytest.fixture(scope="module")
def batch(make_arrays, make_terms) -> Terms:
    with jax.enable_x64(True):
        arrays = make_arrays(41)
        arrays["mask"][3] = 0.0
        made = make_terms(jnp.asarray(arrays["logits"]), arrays)
        made = dataclasses.replace(made, base_pass_rate=jnp.asarray(BASE))
        return outcome.with_outcome(made, jnp.asarray(REWARDS), group_size=4)


def numbers(batch: Terms) -> dict[str, np.ndarray]:
    named = {name: np.asarray(value) for name, value in vars(batch).items() if value is not None}
    named["away"] = np.abs(named["logps"] - named["ref_logps"])
    named["ratios"] = np.exp(named["logps"] - named["old_logps"])
    return named


def held_back(x, b, t):
    low = x["ratios"][b, t] < 0.9 and x["advantages"][b] < 0
    high = x["ratios"][b, t] > 1.15 and x["advantages"][b] > 0
    return 0.0 if low or high else 1.0


def least_likely(x, b, t):
    """1 at a fifth of all valid tokens, those of the least old log π, where A < 0; else 0.5."""
    valid = x["mask"] > 0
    edge = np.sort(x["old_logps"][valid])[round(0.2 * valid.sum()) - 1]
    return 1.0 if x["old_logps"][b, t] <= edge and x["advantages"][b] < 0 else 0.5


CASES = [
    (
        gates.base_pass_rate,
        {"at_least": 0.5, "at_most": 0.9, "outside": 0.25},
        lambda x, b, t: 1.0 if 0.5 <= x["base_pass_rate"][b] <= 0.9 else 0.25,
    ),
    (gates.base_pass_rate, {"at_most": 0.0}, lambda x, b, t: float(x["base_pass_rate"][b] == 0)),
    (gates.pass_rate, {"at_least": 1.0}, lambda x, b, t: [0.0, 1.0][b // 4]),
    (gates.pass_rate, {"at_most": 0.25, "outside": 2.0}, lambda x, b, t: [1.0, 2.0][b // 4]),
    (gates.ramp, {"at_zero": 2.0, "at_one": 0.5}, lambda x, b, t: [1.625, 0.5][b // 4]),
    (gates.unequal, {"equal": 0.5}, lambda x, b, t: [1.0, 0.5][b // 4]),
    (gates.hinge, {"distance": 0.3}, lambda x, b, t: float(x["away"][b, t] > 0.3)),
    (
        gates.hinge_equal,
        {"distance": 0.3},
        lambda x, b, t: float(b < 4 or x["away"][b, t] > 0.3),
    ),
    (gates.unclipped, {"eps_low": 0.1, "eps_high": 0.15}, held_back),
    (
        gates.entropy,
        {"low": 0.2, "high": 1.5, "threshold": 1.0},
        lambda x, b, t: 0.2 if x["ref_entropies"][b, t] < 1.0 else 1.5,
    ),
    (gates.unlikely, {"share": 0.2, "elsewhere": 0.5}, least_likely),
    (gates.wrong, {"otherwise": 0.3}, lambda x, b, t: 0.3 if REWARDS[b] > 0.5 else 1.0),
    (
        gates.opening,
        {"length": 3, "first": 2.0, "later": 0.5},
        lambda x, b, t: 2.0 - 1.5 * min(t / 3, 1),
    ),
]


@pytest.mark.parametrize(("function", "options", "oracle"), CASES)
def test_a_gate_equals_plain_loops(batch, function, options, oracle):
    made, x = by_name.gate(function, **options), numbers(batch)
    expected = np.zeros(batch.mask.shape)
    for b, t in np.argwhere(x["mask"] > 0):
        expected[b, t] = oracle(x, b, t)
    found = made(batch, step=0, key=None)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert len(set(expected[x["mask"] > 0])) > 1
    jitted = jax.jit(made)(batch, step=0, key=None)
    np.testing.assert_array_equal(found, jitted)


def test_every_gate_has_a_case():
    own = [one for one in vars(gates).values() if getattr(one, "__module__", "") == gates.__name__]
    assert {one for one in own if one.__name__[0] != "_"} == {function for function, *_ in CASES}


def checkered(mask):
    """0 and 1 in turn along a row; rows begin unlike."""
    return (jnp.arange(mask.shape[1])[None] + jnp.arange(len(mask))[:, None]) % 2


def by_vocabulary(logits):
    return 0.1 * jnp.tanh(logits)


GUIDES = (
    None,
    guides.branch_guide(),
    guides.token_guide(alpha=0.3, sigma=0.2),
    guides.random_guide(epsilon=0.5, sigma=0.15),
    guides.gated_guide(threshold=1.0, width=0.3),
    guides.gated_guide(share=0.4, hold=1.5),
    guides.tempered_guide(phi=0.5),
    guides.rival_guide(),
    guides.support_guide(top_k=3),
    by_name.guide(by_vocabulary),
)
ESTIMATORS = (kl.k1, kl.k2, kl.k3, kl.forward, kl.exact, kl.forward_exact)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_gate_multiplies_any_estimator_under_any_guide(batch, estimator):
    """Value and gradient, token by token: nothing is left of a KL where the gate is 0."""
    plain = by_name.estimator(estimator)
    halved = by_name.gate(gates.wrong, otherwise=0.5)
    factor = np.asarray(checkered(batch.mask)) * np.where(REWARDS > 0.5, 0.5, 1.0)[:, None]
    factor = factor * np.asarray(batch.mask)

    def run(divergence, guide):
        def losses(logps, logits):
            terms = dataclasses.replace(batch, logps=logps, logits=logits)
            if guide is not None:
                terms = reshape(guide)(terms, step=0, key=jax.random.key(2))
            return jnp.where(terms.valid, divergence(terms, step=0, key=None)[0], 0.0)

        values, pull = jax.vjp(losses, batch.logps, batch.logits)
        return values, *pull(jnp.ones_like(values))

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def both():
        gated = anchors.gate(plain, checkered, halved)
        return [(run(gated, guide), run(plain, guide)) for guide in GUIDES]

    for (value, *gradients), (whole, *of_whole) in both():
        np.testing.assert_allclose(value, factor * whole, atol=1e-14)
        assert any(np.any(gradient) for gradient in gradients)
        for found, expected in zip(gradients, of_whole, strict=True):
            each = factor if found.ndim == 2 else factor[..., None]
            np.testing.assert_allclose(found, each * expected, atol=1e-14)
            assert not np.any(np.asarray(found)[factor == 0])


def grads(loss, batch):
    def total(logps):
        mean, metrics = loss(dataclasses.replace(batch, logps=logps), step=3, key=jax.random.key(0))
        return mean.value(), reduce.values(metrics)

    run = jax.jit(
        jax.value_and_grad(total, has_aux=True),
        compiler_options={"xla_backend_optimization_level": 0},
    )
    (value, metrics), gradient = run(batch.logps)
    return value, metrics, gradient


def test_a_gate_of_one_is_no_gate_and_one_of_zero_no_kl(batch):
    even = by_name.gate(gates.ramp, at_zero=1.0, at_one=1.0)
    none = by_name.gate(gates.ramp, at_zero=0.0, at_one=0.0)
    plain = grads(recipes.sage(guides.branch_guide()), batch)
    found = grads(recipes.sage(guides.branch_guide(), gates=[even, even]), batch)
    np.testing.assert_array_equal(found[0], plain[0])
    np.testing.assert_array_equal(found[2], plain[2])
    assert found[1].pop("kl/gate") == 1
    assert found[1] == plain[1]
    value, metrics, gradient = grads(recipes.sage(guides.branch_guide(), gates=[none]), batch)
    bare = grads(recipes.sage(None, kl_coef=0.0), batch)
    np.testing.assert_array_equal(value, bare[0])
    np.testing.assert_array_equal(gradient, bare[2])
    assert metrics["kl/gate"] == 0
    assert metrics["kl"] == plain[1]["kl"]  # What is measured is measured everywhere.
    assert anchors.gate(reverse_kl()).function.__name__ == "token_loss"


def test_the_mean_factor_is_reported(batch):
    _, metrics, _ = grads(recipes.sage(None, gates=[checkered]), batch)
    factor, mask = np.asarray(checkered(batch.mask)), np.asarray(batch.mask)
    assert metrics["kl/gate"] == pytest.approx((factor * mask).sum() / mask.sum())


def test_the_hinge_with_k3_is_k3_less_its_value_at_the_edge(batch):
    distance = 0.3

    def hinged(logps, anchor_logps):
        away = anchor_logps - logps
        edge = jnp.where(away > 0, distance, -distance)
        beyond = jnp.expm1(away) - away - (jnp.expm1(edge) - edge)
        return jnp.where(jnp.abs(away) <= distance, 0.0, beyond)

    gate = by_name.gate(gates.hinge, distance=distance)
    found = grads(objective(anchors.gate(reverse_kl(), gate), GRPO), batch)
    own = grads(objective(by_name.estimator(hinged), GRPO), batch)
    np.testing.assert_allclose(found[2], own[2], atol=1e-15)
    assert 0 < np.mean(np.asarray(found[2])[np.asarray(batch.mask) > 0] == 0) < 1


def test_groups_of_equal_rewards_have_a_hinge_and_others_the_whole_kl(batch):
    def run(*held):
        return np.asarray(grads(objective(anchors.gate(reverse_kl(), *held), GRPO), batch)[2])

    hinged = run(by_name.gate(gates.hinge, distance=0.3))
    found, whole = run(by_name.gate(gates.hinge_equal, distance=0.3)), run()
    np.testing.assert_allclose(found[:4], whole[:4], atol=1e-15)
    np.testing.assert_allclose(found[4:], hinged[4:], atol=1e-15)
    assert np.abs(found[:4] - hinged[:4]).max() > 1e-3
    assert np.abs(found[4:] - whole[4:]).max() > 1e-3
    assert np.abs(found[4:]).max() > 1e-3


@pytest.mark.parametrize("only_wrong", [False, True])
def test_the_least_likely_tokens_are_those_of_the_whole_batch_whatever_its_parts(batch, only_wrong):
    gate = by_name.gate(gates.unlikely, share=0.1, only_wrong=only_wrong)
    loss = objective(anchors.gate(reverse_kl(), gate), by_name.reduction(reduce.bnpo))
    assert loss.needs == {"ref_logps", "old_logps", "advantages"}
    prepared = loss.prepared(batch, step=0, key=None)
    assert prepared.chosen is not None
    assert int(prepared.chosen.sum()) == round(0.1 * float(batch.mask.sum()))

    def parts(terms):
        cut = [jax.tree.map(lambda x, n=n: x[n : n + 2], terms) for n in range(0, 8, 2)]
        return sum(float(loss(part, step=0, key=None)[0].sum) for part in cut)

    whole, metrics = loss(batch, step=0, key=None)
    np.testing.assert_allclose(parts(prepared), whole.sum, rtol=1e-12)
    assert abs(parts(batch) - float(whole.sum)) > 1e-3  # Each part has a least of its own.
    share = float(metrics["kl/gate"].value())
    assert 0 < share < 0.1 if only_wrong else share == pytest.approx(0.1, abs=0.02)


def test_gates_and_surrogates_have_one_choice_of_tokens(batch):
    chosen = by_name.surrogate(surrogates.clip_cov)
    with pytest.raises(ValueError, match="two parts of a loss choose tokens of the whole batch"):
        recipes.sage(None, surrogate=chosen, gates=[gates.unlikely])
    # Before the rewards and the advantages the batch is whole, and the gate chooses by itself.
    inside = recipes.sage(None, kl_in="advantage", gates=[gates.unlikely])
    rewards = jnp.asarray(REWARDS)
    found = inside.tilted(rewards, batch, group_size=4, step=0, key=None)
    plain = recipes.sage(None, kl_in="advantage")
    whole = plain.tilted(rewards, batch, group_size=4, step=0, key=None)
    assert np.any(np.asarray(found) != np.asarray(whole))


@pytest.mark.parametrize("level", ["token", "sequence"])
def test_unclipped_is_0_on_the_share_that_the_surrogate_says_is_clipped(batch, level):
    ranges = {"eps_low": 0.05, "eps_high": 0.06}
    surrogate = clipped_surrogate(level=level, **ranges)
    gate = by_name.gate(gates.unclipped, level=level, **ranges)
    factor = np.asarray(gate(batch, step=0, key=None))
    told = surrogate(batch, step=0, key=None)[1]["clip/region"]
    mask = np.asarray(batch.mask) > 0
    closed = ~(factor > 0) & mask
    if level == "sequence":  # Whole rows, and the share is of rows.
        assert np.array_equal(closed.any(axis=1), (closed == mask).all(axis=1) & mask.any(axis=1))
        share = closed.any(axis=1).sum() / mask.any(axis=1).sum()
    else:
        share = closed.sum() / mask.sum()
    assert 0 < share < 1
    assert float(told) == pytest.approx(share)


def test_without_the_policy_gradient_there_is_no_kl(batch):
    """Where the clip holds the one back, `unclipped` leaves nothing of the loss's gradient."""
    gate = by_name.gate(gates.unclipped)
    *_, gradient = grads(recipes.sage(None, gates=[gate]), batch)
    closed = np.asarray(gate(batch, step=0, key=None) == 0) & (np.asarray(batch.mask) > 0)
    assert closed.any()
    assert not np.any(np.asarray(gradient)[closed])


EVERY = [by_name.gate(function, **options) for function, options, _ in CASES]


def test_nothing_under_the_mask_is_read(batch):
    loss = recipes.sage(None, gates=EVERY)
    by_token = [n for n, x in vars(batch).items() if x is not None and x.shape == batch.mask.shape]
    spoiled = {
        name: jnp.where(batch.mask > 0, getattr(batch, name), jnp.nan)
        for name in by_token
        if name not in ("mask", "tokens")
    }
    left = dataclasses.replace(batch, logits=None, ref_logits=None)
    value, metrics, gradient = grads(loss, left)
    for other in (grads(loss, dataclasses.replace(left, **spoiled)),):
        np.testing.assert_array_equal(other[0], value)
        np.testing.assert_array_equal(other[2], gradient)
        assert other[1] == metrics
    assert np.isfinite(value)


def test_a_gate_that_is_no_number_on_an_empty_row_leaks_nowhere(batch):
    def share(mask):
        return jnp.where(mask, 1.0, 0.0) / mask.sum(axis=1, keepdims=True).astype(float)

    value, metrics, gradient = grads(recipes.sage(None, gates=[share]), batch)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert np.isfinite([*metrics.values()]).all()


def test_a_kl_in_the_reward_counts_the_gated_tokens_alone(batch):
    loss = recipes.sage(
        None, kl_coef=0.3, kl_in="reward", gates=[checkered, gates.wrong],
        divergence=reverse_kl(estimator="k1"),
    )  # fmt: skip
    x, expected = numbers(batch), REWARDS.copy()
    for b, t in np.argwhere(x["mask"] > 0):
        if (b + t) % 2 and REWARDS[b] <= 0.5:
            expected[b] -= 0.3 * (x["old_logps"][b, t] - x["ref_logps"][b, t])
    rewards = jnp.asarray(REWARDS)
    found = loss.anchored(rewards, batch, step=0, key=None)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.abs(expected - REWARDS).max() > 0.01
    np.testing.assert_array_equal(
        loss.tilted(rewards, batch, group_size=4, step=0, key=None), rewards
    )


def test_what_gates_read_is_asked_for():
    loss = recipes.sage(None, gates=[gates.base_pass_rate, gates.hinge])
    assert loss.needs == {"advantages", "ref_logps", "base_pass_rate"}
    assert recipes.sage(None, kl_coef=0.0, gates=[gates.unequal]).needs == {"advantages"}
    assert by_name.gate(gates.hinge_equal).needs == {"ref_logps", "reward_range"}
    inside = recipes.sage(None, kl_in="advantage", gates=[gates.unequal])
    assert inside.needs == {"advantages", "ref_logps", "old_logps", "reward_range"}


def column(logps):
    return logps[:, 0]


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (functools.partial(gates.pass_rate, at_least=0.5, at_most=0.4), "at_least is 0.5 and at_m"),
        (
            functools.partial(gates.pass_rate, at_most=1.5),
            "they must be rates, the lower one first",
        ),
        (functools.partial(gates.base_pass_rate, outside=-1.0), "outside is -1.0; it must be 0 or"),
        (functools.partial(gates.ramp, at_zero=-0.1, at_one=1.0), "at_zero is -0.1; it must be 0"),
        (functools.partial(gates.ramp, at_zero=0.1, at_one=float("nan")), "at_one is nan"),
        (functools.partial(gates.unequal, equal=-0.1), "equal is -0.1"),
        (functools.partial(gates.hinge, distance=-0.1), "distance is -0.1"),
        (functools.partial(gates.hinge_equal, distance=-0.1), "distance is -0.1"),
        (functools.partial(gates.unclipped, eps_high=-0.1), "eps_high is -0.1"),
        (functools.partial(gates.unlikely, share=0.0), "share is 0.0; it must be in"),
        (functools.partial(gates.unlikely, elsewhere=-1.0), "elsewhere is -1.0; it must be 0 or"),
        (functools.partial(gates.wrong, otherwise=-1.0), "otherwise is -1.0"),
        (functools.partial(gates.opening, length=0), "length is 0; it must be 1 or more"),
        (functools.partial(gates.opening, later=-0.5), "later is -0.5"),
        (column, r"the gate column gives shape \(8,\); it must be \[B, T\] = \(8, 7\) or \[B, 1\]"),
    ],
)
def test_what_makes_no_gate_is_refused(batch, gate, message):
    with pytest.raises(ValueError, match=message):
        recipes.sage(None, gates=[gate])(batch, step=0, key=None)


def test_gates_of_other_options_levels_or_arrays_are_refused(batch):
    with pytest.raises(ValueError, match="the gate wrong has no option other"):
        by_name.gate(gates.wrong, other=1.0)
    with pytest.raises(ValueError, match="the gate ramp needs a value for at_one"):
        by_name.gate(gates.ramp, at_zero=1.0)
    with pytest.raises(ValueError, match="level is 'row'; it must be token or sequence"):
        by_name.gate(gates.unclipped, level="row")  # pyright: ignore
    bare = dataclasses.replace(batch, base_pass_rate=None)
    with pytest.raises(ValueError, match=r"terms.base_pass_rate is None; the gate base_pass"):
        recipes.sage(None, gates=[gates.base_pass_rate])(bare, step=0, key=None)
    with pytest.raises(
        ValueError, match="kl_in is 'rewards'; it must be loss, reward or advantage"
    ):
        recipes.sage(None, kl_in="rewards")  # pyright: ignore
