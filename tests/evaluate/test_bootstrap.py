import numpy as np
import pytest

from sage_jax.evaluate import Interval, mean_interval, mean_intervals, paired_differences, pairing


def test_matches_a_plain_loop_over_redraws():
    values = np.random.default_rng(0).random(30)
    found = mean_interval(values, resamples=4000)
    rng = np.random.default_rng(1)
    means = [values[rng.integers(30, size=30)].mean() for _ in range(4000)]
    assert found.mean == pytest.approx(values.mean())
    np.testing.assert_allclose(
        [found.low, found.high], np.quantile(means, [0.025, 0.975]), atol=0.01
    )


def test_covers_the_true_mean_about_95_times_in_100():
    rng = np.random.default_rng(0)
    trials, true = 400, 0.3
    covered = 0
    for trial in range(trials):
        found = mean_interval(rng.random(80) < true, resamples=500, seed=trial)
        covered += found.low <= true <= found.high
    # Binomial standard error 1.1%; the percentile interval is a little narrow at 80 problems.
    assert 0.91 <= covered / trials <= 0.98


def test_width_follows_the_normal_approximation():
    values = np.random.default_rng(2).normal(size=500)
    found = mean_interval(values, resamples=8000)
    expected = 2 * 1.96 * values.std() / np.sqrt(500)
    assert found.high - found.low == pytest.approx(expected, rel=0.05)


def test_same_seed_same_interval_and_columns_share_redraws():
    values = np.random.default_rng(3).random((40, 1))
    both = mean_intervals(np.hstack([values, values + 1]), seed=5)
    alone = mean_interval(values[:, 0], seed=5)
    assert alone == mean_interval(values[:, 0], seed=5)
    assert both[0].low == pytest.approx(alone.low)
    assert both[1].low == pytest.approx(both[0].low + 1)
    assert mean_interval(values[:, 0], seed=6) != both[0]


def test_many_problems_are_redrawn_in_chunks():
    values = np.random.default_rng(4).random(3000)
    found = mean_interval(values, resamples=1500)
    expected = 1.96 * values.std() / np.sqrt(3000)
    assert found.high - found.mean == pytest.approx(expected, rel=0.1)


def test_one_problem_or_equal_values_have_no_width():
    assert mean_interval([0.5]) == Interval(0.5, 0.5, 0.5)
    assert mean_interval(np.ones(9)) == Interval(1.0, 1.0, 1.0)


def test_paired_difference_is_the_interval_of_the_differences_in_any_order():
    rng = np.random.default_rng(5)
    ids = [f"p{n}" for n in range(50)]
    hard = rng.random(50)
    first, second = hard + 0.1 + rng.normal(0, 0.01, 50), hard
    shuffled = rng.permutation(50)
    (found,) = paired_differences(
        ids, first[:, None], [ids[n] for n in shuffled], second[shuffled][:, None]
    )
    assert found == mean_interval(first - second)
    assert found.excludes_zero
    unpaired = mean_interval(first)
    assert found.high - found.low < 0.2 * (unpaired.high - unpaired.low)


@pytest.mark.parametrize(
    ("low", "high", "excludes"),
    [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0.0, 0.1, False)],
)
def test_excludes_zero(low, high, excludes):
    assert Interval(0.0, low, high).excludes_zero is excludes


def test_pairing_names_the_ids_that_do_not_match():
    with pytest.raises(ValueError, match=r"only in the first: c; only in the second: d"):
        pairing(["a", "b", "c"], ["b", "a", "d"])
    with pytest.raises(ValueError, match=r"only in the first: p0, p1, p2, p3, p4 and 5 more"):
        pairing([f"p{n}" for n in range(10)], [])
    with pytest.raises(ValueError, match=r"must not repeat, got twice: a$"):
        pairing(["a", "a"], ["a", "a"])


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.zeros((0, 2)), {}, r"with a problem, got \(0, 2\)"),
        (np.zeros(3), {}, r"values must be \[problems, figures\]"),
        ([[np.nan]], {}, "values must be finite"),
        ([[1.0]], {"level": 1.0}, "level must lie between 0 and 1, got 1.0"),
        ([[1.0]], {"resamples": 0}, "resamples must be at least 1, got 0"),
    ],
)
def test_refuses_what_has_no_interval(values, options, message):
    with pytest.raises(ValueError, match=message):
        mean_intervals(values, **options)


def test_refuses_shapes_that_do_not_agree():
    with pytest.raises(ValueError, match="one figure per problem, got shape"):
        mean_interval(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"values must be \[1, figures\] on both sides"):
        paired_differences(["a"], [[1.0]], ["a"], [[1.0, 2.0]])
