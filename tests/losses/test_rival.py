"""The guide `rival` against loops, and that it evens out right answers as MARA does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import Terms, guides, kl, outcome, recipes, reshape

pytestmark = pytest.mark.usefixtures("x64")
REWARDS = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def batch(make_arrays, make_terms) -> Terms:
    with jax.enable_x64(True):
        arrays = make_arrays(17)
        arrays["mask"][5] = 0.0
        made = make_terms(jnp.asarray(arrays["logits"]), arrays, vocabulary=False)
        return outcome.with_outcome(made, jnp.asarray(REWARDS), group_size=4)


def whole(values, mask):
    """Sums over valid tokens, [B]."""
    rows = zip(np.asarray(values), np.asarray(mask), strict=True)
    return np.array([sum(row[held > 0]) for row, held in rows])


@pytest.mark.parametrize("bounds", [{}, {"q_max": 1.1}, {"q_min": 1.0, "q_max": 1.2}], ids=str)
@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
def test_it_equals_loops(batch, bounds, jit):
    guide = guides.rival_guide(**bounds)
    found = (jax.jit(guide) if jit else guide)(batch, step=0, key=None)
    mask, sums = np.asarray(batch.mask), whole(batch.ref_logps, batch.mask)
    expected = np.zeros(mask.shape)
    for row in np.flatnonzero(REWARDS):
        group = range(row // 4 * 4, row // 4 * 4 + 4)
        best = max(sums[other] for other in group if REWARDS[other])
        q = np.exp((best - sums[row]) / mask[row].sum())
        q = np.clip(q, bounds.get("q_min", 0.0), bounds.get("q_max", np.inf))
        expected[row] = mask[row] * np.log(q)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert expected.max() > 0.01
    spoiled = jnp.where(batch.valid, batch.ref_logps, jnp.nan)
    again = guide(dataclasses.replace(batch, ref_logps=spoiled), step=0, key=None)
    np.testing.assert_array_equal(np.asarray(again), np.asarray(guide(batch, step=0, key=None)))


def test_with_the_kl_in_the_reward_it_is_maras_reward(batch):
    """r + β (log π_ref(z) − log π_ref(y)) on right answers, less β (log π(y) − log π_ref(y))."""
    kl_coef = 0.3
    found = recipes.anchored_rewards(
        jnp.asarray(REWARDS), batch, kl_coef=kl_coef, step=0, key=None, guide=guides.rival_guide()
    )
    own, ref = (whole(x, batch.mask) for x in (batch.old_logps, batch.ref_logps))
    augmented = REWARDS.copy()
    for row in np.flatnonzero(REWARDS):
        group = np.arange(row // 4 * 4, row // 4 * 4 + 4)
        z = max(group[REWARDS[group] > 0], key=lambda other: ref[other])
        augmented[row] = REWARDS[z] + kl_coef * (ref[z] - ref[row])
    np.testing.assert_allclose(found, augmented - kl_coef * (own - ref), rtol=1e-12)


SIZE = 3
PAIRS = jnp.asarray(np.indices((SIZE, SIZE)).reshape(2, -1).T)  # All answers of two tokens.
RIGHT = np.array([1, 0, 0, 0, 1, 1, 0, 0, 0.0])


def _tokens(tables: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Log-probabilities of both tokens of all answers, [9, 2]."""
    first, second = map(jax.nn.log_softmax, tables)
    return jnp.stack([first[PAIRS[:, 0]], second[PAIRS[:, 0], PAIRS[:, 1]]], axis=1)


@pytest.mark.parametrize("guided", [False, True])
def test_descent_ends_with_equal_mass_on_all_right_answers(guided):
    """Rewards are equal, so that nothing but the anchor says how right answers are to share."""
    rng, kl_coef = np.random.default_rng(2), 0.5
    first, second = (jnp.asarray(rng.normal(size=shape)) for shape in ((SIZE,), (SIZE, SIZE)))
    reference = first, second
    guide = guides.rival_guide() if guided else None
    ref_logps, rewards = _tokens(reference), jnp.asarray(RIGHT)

    def terms(logps):
        made = Terms(logps, jnp.ones((SIZE**2, 2)), ref_logps=ref_logps)
        return outcome.with_outcome(made, rewards, group_size=SIZE**2)

    def gradient(tables):
        logps = _tokens(tables)
        paid = recipes.anchored_rewards(
            rewards, terms(logps), kl_coef=kl_coef, step=0, key=None, guide=guide
        )
        chances = jnp.exp(logps.sum(axis=1))
        return jax.grad(lambda x: -jnp.sum(chances * paid * _tokens(x).sum(axis=1)))(tables)

    def step(_, tables):
        return jax.tree.map(lambda x, g: x - 2.0 * g, tables, gradient(tables))

    found = jax.jit(lambda x: jax.lax.fori_loop(0, 3000, step, x))(reference)
    chances = np.asarray(jnp.exp(_tokens(found).sum(axis=1)))
    odds = np.asarray(jnp.exp(ref_logps.sum(axis=1)))
    held = RIGHT > 0
    assert odds[held].max() > 2 * odds[held].min()
    shares, expected = chances[held] / chances[held].sum(), odds[held] / odds[held].sum()
    np.testing.assert_allclose(shares, 1 / held.sum() if guided else expected, atol=1e-8)
    # And against the wrong ones all right answers stand as the likeliest of them did.
    against = odds[held].max() if guided else odds[held][0]
    ratio = against * np.exp(1 / kl_coef) / odds[1]
    np.testing.assert_allclose(chances[held][0] / chances[1], ratio, rtol=1e-6)


def test_it_acts_where_guides_by_token_do(batch):
    guide = guides.rival_guide()
    shaped = reshape(guide)(batch, step=0, key=None)
    np.testing.assert_allclose(
        shaped.anchor_logps, batch.ref_logps + guide(batch, step=0, key=None)
    )
    assert guide.depends_on == "token"
    assert recipes.sage(guide).needs >= {"ref_logps", "right", "best_ref_logps"}
    assert np.any(kl.k3(batch.logps, shaped.anchor_logps) != kl.k3(batch.logps, batch.ref_logps))


@pytest.mark.parametrize("bounds", [{"q_min": 1.1}, {"q_max": 0.9}, {"q_min": 0.0}], ids=str)
def test_refused_with_a_message(bounds):
    with pytest.raises(ValueError, match="0 < q_min <= 1 <= q_max must hold"):
        guides.rival_guide(**bounds)
