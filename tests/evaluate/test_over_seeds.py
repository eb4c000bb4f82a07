import numpy as np
import pytest
from scipy import stats

from sage_jax.evaluate import mean_interval
from sage_jax.evaluate.over_seeds import over_both, over_problems, over_seeds
from sage_jax.evaluate.student import t_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3.7, 29.4, 199.9, 200.1, 5000])
def test_quantiles_are_those_of_scipy(freedom):
    for level in (0.5, 0.95, 0.99):
        expected = stats.t.ppf((1 + level) / 2, freedom)
        assert t_quantile(level, freedom) == pytest.approx(expected, rel=1e-6)


def test_quantiles_need_a_level_and_freedom():
    with pytest.raises(ValueError, match="level must lie between 0 and 1, got 1"):
        t_quantile(1, 3)
    with pytest.raises(ValueError, match="degrees of freedom must be above 0, got 0"):
        t_quantile(0.95, 0)


def drawn(rng, seeds, problems, of_problems, of_seeds, rest):
    """A table of mean 0.5 with these standard deviations of its parts."""
    return (
        0.5
        + rng.normal(0, of_problems, problems)
        + rng.normal(0, of_seeds, seeds)[:, None]
        + rng.normal(0, rest, (seeds, problems))
    )


def test_over_problems_is_the_bootstrap_of_means_over_seeds():
    values = drawn(np.random.default_rng(0), 4, 30, 0.3, 0.1, 0.1)
    assert over_problems(values) == mean_interval(values.mean(axis=0))


def test_over_seeds_is_the_t_interval_of_means_over_problems():
    values = drawn(np.random.default_rng(1), 5, 30, 0.3, 0.1, 0.1)
    means = values.mean(axis=1)
    found = over_seeds(values)
    assert found is not None
    low, high = stats.t.interval(0.95, 4, means.mean(), stats.sem(means))
    np.testing.assert_allclose([found.mean, found.low, found.high], [means.mean(), low, high])


def test_each_interval_moves_with_its_own_part_alone():
    rng = np.random.default_rng(2)
    hard = np.tile(rng.normal(0.5, 0.3, 40), (4, 1))  # Seeds are alike.
    assert over_seeds(hard).high - over_seeds(hard).low == pytest.approx(0, abs=1e-12)  # type: ignore[union-attr]
    lucky = np.tile(rng.normal(0.5, 0.3, (4, 1)), (1, 40))  # Problems are alike.
    found = over_problems(lucky)
    assert found is not None
    assert found.high - found.low == pytest.approx(0, abs=1e-12)


def width(interval) -> float:
    return interval.high - interval.low


def test_over_both_comes_to_either_where_there_is_one_part_alone():
    rng = np.random.default_rng(3)
    table = drawn(rng, 4, 60, 0.3, 0, 0)
    expected = 2 * stats.t.ppf(0.975, 59) * stats.sem(table[0])
    assert width(over_both(table)) == pytest.approx(expected)
    table = drawn(rng, 4, 60, 0, 0.2, 0)
    assert width(over_both(table)) == pytest.approx(width(over_seeds(table)))
    assert width(over_both(np.full((3, 5), 0.25))) == 0


@pytest.mark.parametrize("parts", [(0.3, 0.05, 0.1), (0.05, 0.05, 0.2), (0.1, 0.0, 0.3)])
def test_over_both_covers_the_mean_of_all_problems_and_seeds(parts):
    rng = np.random.default_rng(4)
    trials = 250
    covered = 0
    for _ in range(trials):
        found = over_both(drawn(rng, 4, 30, *parts))
        assert found is not None
        covered += found.low <= 0.5 <= found.high
    # Standard error 1.4%.
    assert 0.91 <= covered / trials <= 0.99


def test_one_seed_or_one_problem_has_no_such_interval():
    assert over_seeds([[0.1, 0.2]]) is None
    assert over_both([[0.1, 0.2]]) is None
    assert over_both([[0.1], [0.2]]) is None


def test_what_is_not_known_is_left_out():
    values = np.array([[0.5, np.nan, 1.0], [0.7, np.nan, np.nan]])
    problems, seeds = over_problems(values), over_seeds(values)
    assert problems is not None
    assert seeds is not None
    assert problems.mean == pytest.approx((0.6 + 1.0) / 2)
    assert seeds.mean == pytest.approx((0.75 + 0.7) / 2)
    assert over_both(values) is None
    assert over_problems([[np.nan]]) is None
    assert over_seeds([[np.nan], [np.nan]]) is None


def test_refuses_other_shapes():
    for of in (over_problems, over_seeds, over_both):
        with pytest.raises(ValueError, match=r"must be \[seeds, problems\], got shape \(3,\)"):
            of([1.0, 2.0, 3.0])
