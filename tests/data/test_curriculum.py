import math

import numpy as np
import pytest

from sage_jax.data.curriculum import band, gaussian, solvable
from sage_jax.data.order import weighted_indices

RATES = [0.0, 0.125, 0.25, 0.5, 0.75, 0.875, 1.0]


def test_band_keeps_its_ends():
    assert band(RATES, low=0.25, high=0.75).tolist() == [0, 0, 1, 1, 1, 0, 0]
    assert band(RATES, low=0, high=1).tolist() == [1] * 7
    assert band(RATES, low=0.5, high=0.5).tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_solvable_drops_always_and_never():
    assert solvable(RATES).tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert solvable(np.array([0, 1e-6, 1 - 1e-6, 1], np.float32)).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(("target", "width"), [(0.5, 0.2), (0.25, 0.05), (1.0, 3.0)])
def test_gaussian_by_the_formula(target, width):
    expected = [math.exp(-((rate - target) ** 2) / (2 * width**2)) for rate in RATES]
    found = gaussian(RATES, target=target, width=width)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert found.dtype == np.float64


def test_weights_of_a_curriculum_are_drawn_by():
    drawn = weighted_indices(solvable(RATES), 5, seed=0, step=3)
    assert sorted(drawn.tolist()) == [1, 2, 3, 4, 5]
    counts = np.bincount(
        weighted_indices(gaussian(RATES, width=0.2), 140, seed=0, step=0), minlength=7
    )
    assert counts.argmax() == 3
    assert counts[2] > counts[1] > 0


def test_none_of_none():
    assert (
        band([], low=0, high=1).shape == solvable([]).shape == gaussian([], width=1).shape == (0,)
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: band(RATES, low=0.6, high=0.4), "low <= high <= 1, got 0.6 and 0.4"),
        (lambda: band(RATES, low=-0.1, high=0.4), "got -0.1 and 0.4"),
        (lambda: band(RATES, low=0, high=float("nan")), "got 0 and nan"),
        (lambda: gaussian(RATES, width=0), "width must be positive and finite, got 0"),
        (lambda: gaussian(RATES, width=math.inf), "width must be positive and finite, got inf"),
        (lambda: gaussian(RATES, target=2, width=1), "target must be from 0 to 1, got 2"),
        (lambda: solvable([0.5, 50, -1]), "got 50.0 at place 1 and 1 more"),
        (lambda: solvable([0.5, math.nan]), "got nan at place 1"),
        (
            lambda: solvable(np.zeros((2, 2))),
            r"rates must be \[N\], got an array of shape \(2, 2\)",
        ),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
