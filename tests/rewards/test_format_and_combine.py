import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.rewards import boxed_once, matches, weighted_sum


@pytest.mark.parametrize(
    ("completion", "reward"),
    [
        (r"so \boxed{1}", 1.0),
        (r"<think>\boxed{1}\boxed{2}</think>\boxed{1}", 1.0),
        (r"\boxed{1} \boxed{1}", 0.0),
        (r"\boxed{}", 0.0),
        (r"\boxed{1", 0.0),
        ("1", 0.0),
        (r"<think>\boxed{1}", 0.0),
    ],
)
def test_boxed_once(completion, reward):
    assert boxed_once(completion) == reward


def test_matches_the_whole_over_lines():
    assert matches("<think>a\nb</think> 7", r"<think>.*</think> \d") == 1.0
    assert matches("7 and more", r"\d") == 0.0


def test_weighted_sum_oracle():
    generator = np.random.default_rng(0)
    parts = {name: generator.random(5).astype(np.float32) for name in ("right", "boxed", "short")}
    weights = {"right": 1.0, "boxed": 0.25, "short": -0.5}
    got = weighted_sum(parts, weights=weights)
    expected = sum(weights[name] * parts[name] for name in parts)
    np.testing.assert_allclose(got.total, expected, rtol=1e-6)
    assert got.total.dtype == jnp.float32
    for name, part in parts.items():
        np.testing.assert_array_equal(got.components[name], part)


def test_weighted_sum_does_not_depend_on_the_order_of_names():
    parts = {"a": [0.1, 0.7], "b": [0.2, 0.3], "c": [0.3, 0.9]}
    weights = {"a": 0.3, "b": 0.7, "c": 1.1}
    backwards = dict(reversed(parts.items()))
    first, second = (weighted_sum(p, weights=weights).total for p in (parts, backwards))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("components", "weights", "message"),
    [
        ({}, {}, "at least one"),
        ({"a": [1.0]}, {"b": 1.0}, r"\['a'\] and weights \['b'\]"),
        ({"a": [1.0]}, {"a": 1.0, "b": 1.0}, "must name the same"),
        ({"a": [1.0], "b": [1.0, 2.0]}, {"a": 1.0, "b": 1.0}, r"one shape \[B\]"),
        ({"a": 1.0}, {"a": 1.0}, r"one shape \[B\]"),
    ],
)
def test_weighted_sum_refuses(components, weights, message):
    with pytest.raises(ValueError, match=message):
        weighted_sum(components, weights=weights)
