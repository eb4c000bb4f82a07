"""Differences of the real model's arms, problem by problem."""

import numpy as np
import pytest

from studies import over_problems, store


def row(arm, coef, correct, styles, seed=0):
    own = {"setting": "s", "base": seed, "seed": seed, "arm": arm, "constants": {}}
    own |= {"kl_coef": coef, "learning_rate": 0.1, "samples": 64}
    return own | {"correct": correct, "styles": styles}


ROWS = [
    row("base", 0.0, [16, 32], [[8, 8, 0, 0], [8, 8, 8, 8]]),
    row("k3", 0.1, [32, 64], [[32, 0, 0, 0], [64, 0, 0, 0]]),
    row("gated", 0.1, [32, 48], [[16, 16, 0, 0], [24, 24, 0, 0]]),
    row("k3", 0.1, [0, 0], [[0] * 4] * 2, seed=1),
]


def test_figures_of_a_problem_are_its_counts():
    found = over_problems.by_problem(ROWS[0])
    assert found[:, 0] == pytest.approx([0.25, 0.5])
    assert found[:, 3] == pytest.approx([1, 1])
    assert found[:, 4] == pytest.approx([0.5, 1])
    assert found[:, 5] == pytest.approx([2, 4])
    nothing = over_problems.by_problem(ROWS[3])
    np.testing.assert_allclose(nothing, [[0, 0, 0, 0, 0, 1]] * 2)


def test_pairs_are_of_seeds_that_have_both():
    apart = over_problems.difference(ROWS, ("k3", 0.1), over_problems.BASE)
    assert apart[0].mean == pytest.approx(0.375)  # Seed 1 has no base.
    assert (apart[0].low, apart[0].high) == pytest.approx((0.25, 0.5))
    assert over_problems.difference(ROWS, ("gated", 0.2), over_problems.BASE) == []


def test_a_distance_is_from_the_curve_at_the_same_pass_at_1():
    flat = [[16, 16, 16, 16]] * 2
    rows = [
        row("base", 0.0, [8, 24], flat),  # .25, all four styles.
        row("no_kl", 0.0, [48, 48], [[48, 0, 0, 0]] * 2),  # .75, one style.
        row("k3", 0.1, [24, 40], [[12, 12, 0, 0], [14, 13, 13, 0]]),  # .5, just between them.
        row("gated", 0.1, [36, 44], [[18, 18, 0, 0]] * 2),  # .625, two styles.
    ]
    base, no_kl, k3, gated = ((one["arm"], one["kl_coef"]) for one in rows)
    kept = over_problems.FIGURES.index("styles kept") - 1  # pass@1 is what they share.
    straight = over_problems.above(rows, gated, [base, no_kl])[kept]
    assert straight.mean == pytest.approx(0.5 - (1 + 3 * 0.25) / 4)
    assert straight.low <= straight.mean <= straight.high
    through = over_problems.above(rows, gated, [no_kl, base, k3])[kept]
    assert through.mean == pytest.approx(straight.mean)
    (*_, solved, _, _) = over_problems.above(rows, gated, [base, no_kl])
    assert solved.mean == pytest.approx(0, abs=1e-9)  # pass@64 is 1 of all.
    itself = over_problems.above(rows, k3, [base, k3, no_kl])
    assert all((one.mean, one.low, one.high) == (0, 0, 0) for one in itself)
    assert over_problems.above(rows, ("gated", 0.2), [base, no_kl]) == []


def test_a_frontier_leaves_out_its_own_arm_and_needs_both_ends():
    ends = [ROWS[0], row("no_kl", 0.0, [48, 48], [[48, 0, 0, 0]] * 2)]
    named = [line[0] for line in over_problems.distances([*ends, *ROWS[1:3]])]
    assert named == ["k3 @0.1 above k3", "gated @0.1 above k3"]
    assert [*over_problems.distances(ROWS)] == []


def test_tables_hold_each_arm_and_its_contrast_to_k3(tmp_path, capsys):
    for one in ROWS:
        store.append(tmp_path / "real.jsonl", one)
    over_problems.main(["--results", str(tmp_path / "real.jsonl")])
    said = capsys.readouterr().out
    assert "| k3 @0.1 | 2 | 0.375 |" in said
    assert "| − base |  | +0.375 [+0.250, +0.500] * |" in said
    assert "| gated @0.1 − k3 | -0.125 [-0.250, +0.000] |" in said


def test_without_a_base_or_counts_there_is_less():
    bare = {name: value for name, value in ROWS[2].items() if name not in ("correct", "styles")}
    head, first, second, third = over_problems.report([ROWS[1], bare]).split("\n\n")
    assert head == "# s"
    assert [line[:18] for line in first.splitlines()[2:]] == ["| k3 @0.1 | 1 | 0."]
    assert len(second.splitlines()) == len(third.splitlines()) == 2
    assert over_problems.report([]) == ""


def test_settings_are_apart():
    other = [one | {"setting": "t"} for one in ROWS]
    found = over_problems.report([*ROWS, *other])
    assert found == over_problems.report(ROWS) + "\n" + over_problems.report(other)
