"""Right answers weighed by how rare they are: against plain loops, and what is kept of a group."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sage_jax.losses import Terms, advantages, rarity, recipes

pytestmark = pytest.mark.usefixtures("x64")
G, RNG = 4, np.random.default_rng(8)
# None, one, two, three and all right; and all right alike.
RIGHT = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 1], [1, 1, 1, 1],
                  [1, 1, 1, 1], [0, 1, 1, 0], [1, 0, 0, 0]], float)  # fmt: skip
MODES = np.array([[-1, -1, -1, -1], [0, 2, 0, 0], [5, -1, 5, -1], [3, 3, 3, 7], [1, 1, 1, 2],
                  [-1, -1, 4, 4], [0, 1, 2, 3], [6, 6, 6, 6]])  # fmt: skip
MASK = (np.arange(5) < RNG.integers(1, 6, size=(32, 1))).astype(float)
MASK[8] = 0.0  # A right row without tokens, as a truncated one that is masked out.
MASK[20:24] = 1.0
LOGPS = -RNG.exponential(size=(32, 5))
LOGPS[20:24] = LOGPS[20]  # Ties.
VALUES = RNG.normal(size=32)


@pytest.fixture
def terms() -> Terms:
    return Terms(
        jnp.asarray(LOGPS),
        jnp.asarray(MASK),
        right=jnp.asarray(RIGHT.ravel()),
        modes=jnp.asarray(MODES.ravel()),
        ref_logps=jnp.asarray(LOGPS - 0.1 * RNG.normal(size=LOGPS.shape)),
    )


def total(row):
    return sum(LOGPS[row, t] for t in range(5) if MASK[row, t])


def mean(row):
    return total(row) / max(sum(MASK[row]), 1)


def by_group(function):
    """[B] of a function of (rows of the group, those of them that are right)."""
    found = np.empty(32)
    for group in range(8):
        rows = range(group * G, group * G + G)
        values = function([*rows], [row for row in rows if RIGHT.ravel()[row]])
        found[group * G : group * G + G] = values
    return found


def by_logps(rows, right, temperature):
    likely = {row: np.exp(mean(row)) for row in right}
    rho = {row: one / sum(likely.values()) for row, one in likely.items()}
    out = []
    for row in rows:
        weight = 1.0
        if row in right and len(right) > 1:
            share = (1 / rho[row]) / sum(1 / one for one in rho.values())
            weight = len(right) * ((1 - temperature) / len(right) + temperature * share)
        out.append(VALUES[row] * weight)
    return out


def by_mode(rows, right, power, least, most):
    def size(row):
        mode = MODES.ravel()[row]
        return 1 if mode < 0 else sum(MODES.ravel()[other] == mode for other in right)

    weights = {row: size(row) ** -power for row in right}
    middle = np.mean([*weights.values()]) if right else 1.0
    return [
        VALUES[row] * (np.clip(weights[row] / middle, least, most) if row in right else 1.0)
        for row in rows
    ]


def by_rank(rows, right, beta):
    del right
    ranks = [sum(total(row) > total(other) for other in rows) for row in rows]
    return [VALUES[row] * (1 - beta * rank / G) for row, rank in zip(rows, ranks, strict=True)]


def smoothed(rows, right, gamma_right, gamma_wrong):
    return [
        VALUES[row] - (gamma_right if row in right else -gamma_wrong) * total(row) for row in rows
    ]


CASES = [
    (rarity.rare_by_logps, by_logps, {"temperature": 0.3}),
    (rarity.rare_by_logps, by_logps, {"temperature": 1.0}),
    (rarity.rare_by_mode, by_mode, {"power": 0.8, "least": 0.3, "most": 3.0}),
    (rarity.rare_by_mode, by_mode, {"power": 2.0, "least": 0.6, "most": 1.3}),
    (rarity.rare_by_rank, by_rank, {"beta": 0.25}),
    (rarity.smoothed, smoothed, {"gamma_right": 0.02, "gamma_wrong": 0.05}),
]


@pytest.mark.parametrize(("rule", "oracle", "options"), CASES)
def test_a_rule_equals_plain_loops(terms, rule, oracle, options):
    rule = functools.partial(rule, terms=terms, group_size=G, **options)
    found = rule(jnp.asarray(VALUES))
    np.testing.assert_allclose(found, by_group(functools.partial(oracle, **options)), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(rule)(jnp.asarray(VALUES)), found, rtol=1e-12)
    assert found.dtype == jnp.float64


EVERY = [rule for rule, *_ in CASES[::2]] + [rarity.smoothed]


@pytest.mark.parametrize("rule", [rarity.rare_by_logps, rarity.rare_by_mode])
@pytest.mark.parametrize("amount", [0.5, 1.0])
def test_right_answers_of_equal_advantage_weigh_as_much_together(terms, rule, amount):
    name = "temperature" if rule is rarity.rare_by_logps else "power"
    unclipped = {} if name == "temperature" else {"least": 1e-6, "most": 1e6}
    given = np.where(RIGHT.ravel() > 0, np.repeat(np.arange(1.0, 9.0), G), -0.5)
    found = rule(jnp.asarray(given), terms=terms, group_size=G, **{name: amount}, **unclipped)
    np.testing.assert_allclose(found.reshape(-1, G).sum(1), given.reshape(-1, G).sum(1), rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(found)[RIGHT.ravel() == 0], -0.5)
    assert np.abs(found - given).max() > 0.1


def partitions(number, most=None):
    """Ways of writing a number as a sum, the largest part first."""
    if not number:
        yield []
    for first in range(min(number, most or number), 0, -1):
        for rest in partitions(number - first, first):
            yield [first, *rest]


def by_mode_of(groups):
    """What right rows of groups of 8 weigh together, where so many each take one way."""
    modes = np.full((len(groups), 8), -1)
    for row, sizes in zip(modes, groups, strict=True):
        row[: sum(sizes)] = np.repeat(np.arange(len(sizes)), sizes)
    right = jnp.asarray((modes >= 0).ravel().astype(float))
    ones = jnp.ones((right.size, 1))
    own = Terms(ones, ones, right=right, modes=jnp.asarray(modes.ravel()))
    found = rarity.rare_by_mode(jnp.where(right > 0, 1.0, 0.0), terms=own, group_size=8)
    return np.asarray(found).reshape(-1, 8).sum(axis=1)


def test_the_default_clip_of_modes_takes_nothing_from_up_to_seven_right_answers():
    groups = [sizes for number in range(1, 8) for sizes in partitions(number)]
    assert len(groups) == 44
    np.testing.assert_allclose(by_mode_of(groups), [sum(sizes) for sizes in groups], rtol=1e-6)
    kept = by_mode_of([*partitions(8)])
    assert [s for s, one in zip(partitions(8), kept, strict=True) if one < 7.999] == [[7, 1]]
    assert kept[1] == pytest.approx(8 - (8 / (7**0.2 + 1) - 3), rel=1e-6)


def test_what_rarity_by_rank_takes_from_right_answers(terms):
    beta, right = 0.5, RIGHT.ravel()
    rewards = rarity.rare_by_rank(jnp.asarray(right), terms=terms, group_size=G, beta=beta)
    ranks = [sum(total(row) > total(row // G * G + n) for n in range(G)) for row in range(32)]
    for group in range(8):
        rows = range(group * G, group * G + G)
        own = [row for row in rows if right[row]]
        factor = 1 - beta * np.mean([ranks[row] for row in own]) / G if own else 1.0
        for rule, whole in ((lambda x: x, right), (centred, np.asarray(centred(right)))):
            found = sum(float(rule(rewards)[row]) for row in own)
            assert found == pytest.approx(factor * sum(whole[row] for row in own), abs=1e-12)
        if group == 4:  # All are right, and no two are alike.
            assert factor < 0.9
            assert np.all(np.asarray(centred(rewards))[np.array(rows)] != 0)


def centred(rewards):
    return advantages.none(jnp.asarray(rewards), group_size=G)


def test_the_rarer_a_right_answer_the_more_it_weighs(terms):
    ones = jnp.ones(32)
    rare = np.asarray(rarity.rare_by_logps(ones, terms=terms, group_size=G, temperature=1.0))
    likely = [mean(row) for row in range(16, 20)]
    assert np.array_equal(np.argsort(rare[16:20]), np.argsort(likely)[::-1])
    np.testing.assert_allclose(rare[20:24], 1.0, rtol=1e-6)  # Alike.
    single = np.asarray(rarity.rare_by_mode(ones, terms=terms, group_size=G))[16:20]
    assert single[3] > 1 > single[0] == single[1] == single[2]


def test_likely_right_answers_gain_less_and_likely_wrong_ones_lose_less(terms):
    found = rarity.smoothed(jnp.zeros(32), terms=terms, group_size=G)
    likely = np.array([total(row) for row in range(32)])
    right = RIGHT.ravel() > 0
    for own, sign in ((right, -1), (~right, 1)):
        assert (np.diff(np.asarray(found)[own][np.argsort(sign * likely[own])]) >= 0).all()
    assert (np.asarray(found)[right & MASK.any(axis=1)] > 0).all()
    assert (np.asarray(found)[~right] < 0).all()


def test_ties_share_a_rank(terms):
    found = rarity.rare_by_rank(jnp.ones(32), terms=terms, group_size=G, beta=1.0)
    np.testing.assert_array_equal(found[20:24], 1.0)
    others = np.sort(found[:4])
    np.testing.assert_allclose(others, [0.25, 0.5, 0.75, 1.0])


def test_nothing_under_the_mask_is_read(terms):
    spoiled = dataclasses.replace(terms, logps=jnp.where(MASK > 0, LOGPS, np.nan))
    for rule in EVERY:
        plain, found = (
            rule(jnp.asarray(VALUES), terms=one, group_size=G) for one in (terms, spoiled)
        )
        np.testing.assert_array_equal(found, plain)


def test_advantages_are_constants_and_gradients_are_numbers(terms):
    """Also where the policy that is differentiated is the one that sampled."""

    @functools.partial(jax.jit, static_argnums=1)
    def gradient(logps, rule):
        def loss(logps):
            own = dataclasses.replace(terms, logps=logps)
            weighed = rule(jnp.asarray(VALUES), terms=own, group_size=G)
            return jnp.sum(weighed[:, None] * logps)

        return jax.grad(loss)(logps)

    for rule in EVERY:
        weighed = rule(jnp.asarray(VALUES), terms=terms, group_size=G)
        found = gradient(terms.logps, rule)
        np.testing.assert_allclose(found, np.repeat(np.asarray(weighed)[:, None], 5, 1), rtol=1e-12)
        assert np.isfinite(found).all()


def test_a_mesh_of_eight_devices_changes_nothing(terms):
    """All rules in a row and the KL in the advantages, whose groups lie on one device each."""
    loss = recipes.sage(None, kl_in="advantage")

    @jax.jit
    def run(values, terms):
        for rule in EVERY:
            values = rule(values, terms=terms, group_size=G)
        return loss.tilted(values, terms, group_size=G, step=0, key=None)

    whole = run(jnp.asarray(VALUES), terms)
    mesh = Mesh(np.array(jax.devices()[:8]), ("data",))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    sharded = run(*jax.device_put((jnp.asarray(VALUES), terms), rows))
    np.testing.assert_allclose(sharded, whole, rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (functools.partial(rarity.rare_by_logps, temperature=1.5), "temperature is 1.5; it must"),
        (functools.partial(rarity.rare_by_rank, beta=-0.1), "beta is -0.1; it must be between 0"),
        (functools.partial(rarity.rare_by_mode, power=-1.0), "power is -1.0; it must be 0 or more"),
        (functools.partial(rarity.rare_by_mode, least=1.1), "least is 1.1 and most 3.0; 1 must"),
        (functools.partial(rarity.rare_by_mode, most=0.5), "least is 0.3 and most 0.5; 1 must lie"),
        (functools.partial(rarity.smoothed, gamma_wrong=-1.0), "gamma_wrong is -1.0; it must be 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(terms, rule, message):
    with pytest.raises(ValueError, match=message):
        rule(jnp.asarray(VALUES), terms=terms, group_size=G)


def test_what_is_missing_or_does_not_fit_is_named(terms):
    values = jnp.asarray(VALUES)
    with pytest.raises(ValueError, match=r"terms.right is None; rarity needs it"):
        rarity.smoothed(values, terms=dataclasses.replace(terms, right=None), group_size=G)
    with pytest.raises(ValueError, match=r"terms.modes is None; rarity by mode needs it"):
        rarity.rare_by_mode(values, terms=dataclasses.replace(terms, modes=None), group_size=G)
    with pytest.raises(ValueError, match="group_size is 5; it must divide the 32"):
        rarity.rare_by_rank(values, terms=terms, group_size=5)
