import math

import numpy as np
import pytest

from studies.frontier import above, difference, interval, left_out, starred


def rows(values):
    return {pair: {"pass@1": x, "pass@64": y} for pair, (x, y) in values.items()}


def test_an_interval_is_of_warm_starts_and_not_of_runs():
    values = {(0, 0): 1.0, (0, 1): 3.0, (1, 0): 4.0, (2, 0): 6.0}
    found = interval(values)
    assert (found.mean, found.count) == (4.0, 3)
    # t of 2 degrees of freedom at .975 is 4.302653.
    assert found.half == pytest.approx(4.302653 * np.std([2, 4, 6], ddof=1) / math.sqrt(3))
    more = interval(values | {(0, n): 2.0 for n in range(2, 50)})
    assert more.half == pytest.approx(found.half)


def test_shares_that_agree_to_the_last_digit_prove_nothing():
    found = interval({(0, 0): 2 / 96, (1, 0): 0.1 * 3 - 0.3 + 2 / 96})
    assert found.half == pytest.approx(0.0, abs=1e-12)
    assert found.p == 1.0
    assert interval({(0, 0): 0.021, (1, 0): 0.0211}).p < 0.01


def test_one_warm_start_has_no_interval():
    assert math.isnan(interval({(0, 0): 1.0, (0, 1): 2.0}).half)


def test_differences_are_of_shared_pairs():
    left = rows({(0, 0): (0.2, 0.9), (1, 0): (0.3, 0.8), (2, 0): (9.0, 9.0)})
    right = rows({(0, 0): (0.1, 0.9), (1, 0): (0.2, 0.7)})
    assert difference(left, right, "pass@1").mean == pytest.approx(0.1)


def test_the_distance_above_a_frontier_is_read_off_its_curve():
    line = {0.1: {"pass@1": 0.4, "pass@64": 0.5}, 0.2: {"pass@1": 0.2, "pass@64": 0.9}}
    curves = {(base, 0): line for base in range(3)}
    runs = rows({(0, 0): (0.3, 0.75), (1, 0): (0.25, 0.8), (2, 0): (0.5, 0.9)})
    found = above(runs, curves, "pass@64")
    # At .3 the line is at .7, at .25 at .8; .5 is outside of it.
    assert (found.mean, found.count) == (pytest.approx(0.025), 2)
    (fewer, *_) = starred([found, None], of=[3, 3])
    assert fewer == "+0.025 ± 0.318 (2 of 3)"
    assert starred([found], of=[2]) == ["+0.025 ± 0.318"]


def test_a_frontier_of_its_own_runs_tells_what_the_line_errs_by():
    bent = {0.1: (0.4, 0.5), 0.2: (0.3, 0.8), 0.3: (0.2, 0.9)}
    curves = {
        (base, 0): {c: {"pass@1": x, "pass@64": y} for c, (x, y) in bent.items()}
        for base in range(2)
    }
    (one,) = left_out(curves, "pass@64").values()
    assert one.mean == pytest.approx(0.8 - 0.7)


def test_a_bent_frontier_is_read_off_closer_than_by_straight_lines():
    line = {x: {"pass@1": x, "pass@64": 1 - x * x} for x in (0.0, 0.2, 0.4, 0.6)}
    runs = rows({(0, 0): (0.3, 1 - 0.3**2), (1, 0): (0.3, 1 - 0.3**2)})
    straight = 0.1 * 0.1  # Of x² and its chord, in the middle between points .2 apart.
    found = above(runs, {(base, 0): line for base in range(2)}, "pass@64")
    assert abs(found.mean) < 0.2 * straight
