from itertools import product

import numpy as np
import pytest
from scipy import stats

from sage_jax.evaluate.holm import holm
from sage_jax.evaluate.permutation import sign_flips


def enumerated(values: np.ndarray) -> float:
    flips = np.array([*product([-1, 1], repeat=len(values))])
    return float((np.abs(flips @ values) >= abs(values.sum()) - 1e-9).mean())


def test_few_problems_are_tested_over_all_flips():
    table = np.random.default_rng(0).normal(0.3, 1, (9, 3)).round(1)
    found = sign_flips(table)
    assert [test.exact for test in found] == [True] * 3
    np.testing.assert_allclose([test.p for test in found], [*map(enumerated, table.T)])
    np.testing.assert_allclose([test.mean for test in found], table.mean(axis=0))


def test_agrees_with_scipy():
    values = np.random.default_rng(1).normal(0.5, 1, 12)
    expected = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=2**12
    )
    assert sign_flips(values[:, None])[0].p == pytest.approx(expected.pvalue)


def test_problems_that_do_not_differ_say_nothing():
    few = np.array([1.0, 1, 1, -1, 1, 1])
    many = np.concatenate([few, np.zeros(500)])
    (alone,), (among,) = sign_flips(few[:, None]), sign_flips(many[:, None])
    assert among.exact
    assert among.p == alone.p == enumerated(few)
    assert sign_flips(np.zeros((30, 1)))[0].p == 1.0


def test_the_direction_does_not_matter():
    table = np.random.default_rng(2).normal(0.1, 1, (60, 1))
    up, down = sign_flips(table), sign_flips(-table)
    assert up[0].p == down[0].p
    assert not up[0].exact


def test_many_problems_are_tested_over_flips_drawn_by_seed():
    table = np.random.default_rng(3).normal(0.25, 1, (100, 1))
    (found,) = sign_flips(table)
    expected = float(2 * stats.norm.sf(abs(table.sum()) / np.sqrt((table**2).sum())))
    # Standard error of the share: sqrt(p / draws).
    assert found.p == pytest.approx(expected, abs=4 * (expected / 10_000) ** 0.5 + 2e-3)
    assert sign_flips(table) == [found]
    assert sign_flips(table, seed=1) != [found]


def test_a_drawn_p_value_is_never_0():
    (found,) = sign_flips(np.ones((200, 1)), draws=99)
    assert found.p == 0.01


def test_flips_are_shared_by_figures_and_exact_ones_stand_beside_drawn_ones():
    rng = np.random.default_rng(4)
    many, few = rng.normal(0.2, 1, 50), np.zeros(50)
    few[:5] = 1
    both = sign_flips(np.stack([many, few, many], axis=1))
    assert both[0] == both[2] == sign_flips(many[:, None])[0]
    assert both[1] == sign_flips(few[:, None])[0]
    assert both[1].p == 2 / 2**5


def test_a_figure_that_some_problems_lack_is_tested_over_the_others():
    table = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan]])
    first, second = sign_flips(table)
    assert (first.mean, first.p) == (1.5, 0.5)
    assert np.isnan([second.mean, second.p]).all()


def test_models_that_are_alike_are_found_to_differ_no_oftener_than_the_level():
    rng = np.random.default_rng(5)
    table = rng.binomial(8, 0.4, (15, 2000)) - rng.binomial(8, 0.4, (15, 2000))
    ps = np.array([test.p for test in sign_flips(table)])
    # Standard error of the share 0.5%.
    assert (ps <= 0.05).mean() <= 0.065


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (np.zeros((0, 1)), {}, r"with a problem, got \(0, 1\)"),
        (np.zeros(3), {}, r"differences must be \[problems, figures\]"),
        ([[np.inf]], {}, "differences must be finite"),
        ([[1.0]], {"draws": 0}, "draws must be at least 1, got 0"),
    ],
)
def test_refuses_what_cannot_be_tested(table, options, message):
    with pytest.raises(ValueError, match=message):
        sign_flips(table, **options)


def test_corrected_p_values_never_fall_behind_smaller_ones():
    corrected = holm([0.02, 0.01, 0.5, 0.015])
    assert corrected == pytest.approx([0.045, 0.04, 0.5, 0.045])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_tests_that_were_not_made_do_not_count():
    corrected = holm([0.02, np.nan, 0.01])
    assert [corrected[0], corrected[2]] == [0.02, 0.02]
    assert np.isnan(corrected[1])
