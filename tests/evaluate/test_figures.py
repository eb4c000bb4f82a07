import numpy as np
import pytest

from sage_jax.evaluate import EvalResult, ProblemResult
from sage_jax.evaluate.figures import column, is_better_high, is_share


@pytest.fixture
def result():
    problems = (
        ProblemResult("a", 3, 4, {"1": 3, "2": 1}, "1", {"x": 2, "y": 1}),
        ProblemResult("b", 0, 4, {"5": 1}, "1"),
    )
    return EvalResult("final", 1, "toy", 4, 0, 1.0, problems)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pass@1", [0.75, 0]),
        ("pass@4", [1, 0]),
        ("pass^2", [0.5, 0]),
        ("majority@4", [1, 0]),
        ("answers@4", [2, 1]),
        ("modes@4", [2, 0]),
        ("draws@4", [1.25, 4]),
        ("diversity", [2 / 3, np.nan]),
        ("effective modes", [np.exp(2 / 3 * 0.5 + 1 / 3 * 1.5), np.nan]),
    ],
)
def test_a_figure_by_name(result, name, expected):
    np.testing.assert_allclose(column(result, name), expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pass@5", "pass@5 needs a k from 1 to 4, the samples of evaluation 'final' of 'toy'"),
        ("pass^0", r"pass\^0 needs a k from 1 to 4"),
        ("pass@", r"no figure 'pass@'; there are pass@K, pass\^K, majority@K"),
        ("accuracy", "no figure 'accuracy'"),
    ],
)
def test_refuses_what_it_does_not_have(result, name, message):
    with pytest.raises(ValueError, match=message):
        column(result, name)


def test_what_is_a_share_and_what_is_better_high():
    assert is_share("pass@4")
    assert is_share("diversity")
    assert not any(map(is_share, ("modes@4", "draws@4", "answers@4", "effective modes")))
    assert [is_better_high(name) for name in ("pass@1", "draws@4")] == [True, False]
