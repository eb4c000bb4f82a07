"""Styles that the real model's arms write: by how completions begin, apart from how well."""

import numpy as np
import pytest

from sage_jax.data import arithmetic
from sage_jax.data.styles import STYLES
from sage_jax.evaluate.completions import Completion
from studies import beginnings, store, written


def row(arm, coef, written, right, seed=0):
    own = {"setting": "s", "base": seed, "seed": seed, "arm": arm, "constants": {}}
    own |= {"kl_coef": coef, "learning_rate": 0.1}
    return own | {"written": written, "written_right": right}


ROWS = [
    row("base", 0.0, [[8, 8, 0, 0], [8, 8, 0, 0]], [[4, 0, 0, 0], [4, 8, 0, 0]]),
    row("k3", 0.1, [[12, 4, 0, 0], [12, 4, 0, 0]], [[12, 0, 0, 0], [6, 2, 0, 0]]),
    row("gated", 0.1, [[8, 8, 0, 0], [8, 8, 0, 0]], [[8, 4, 0, 0], [4, 4, 0, 0]]),
    row("k3", 0.1, [[1, 1, 1, 1]], [[0, 0, 0, 0]], seed=1),
]


@pytest.mark.parametrize("operation", ["add", "subtract", "multiply"])
def test_a_worked_solution_begins_in_its_style(operation):
    for problem in arithmetic.make_problems(0, 20, operations=(operation,)):
        worked = arithmetic.solutions(problem)
        for style, text in worked.items():
            if list(worked.values()).count(text) == 1:
                assert beginnings.begun(problem.id, f" {text}") == style


def test_a_wrong_number_changes_no_style_and_what_fits_none_is_other():
    id = "arithmetic-subtract-82-47"
    assert beginnings.begun(id, "82 - 47 = 53.") == "direct"
    assert beginnings.begun(id, "Units first. 82 - 7 = 70.") == "reorder"
    assert {beginnings.begun(id, text) for text in ("", "I think it is 35.")} == {"other"}


def test_counts_are_by_problem_in_the_order_of_ids():
    texts = [("82-47", "82 - 47 = 35.", True), ("61-5", "From 5", False), ("61-5", "So", True)]
    found = beginnings.count(
        Completion(f"arithmetic-subtract-{id}", text, correct=right) for id, text, right in texts
    )
    assert found == {
        "written": [[0, 0, 1, 0], [1, 0, 0, 0]],
        "written_right": [[0, 0, 0, 0], [1, 0, 0, 0]],
    }


def test_skill_is_weighed_by_the_base_and_choice_is_the_arms_own():
    arms = [written.means(ROWS, arm) for arm in (("k3", 0.1), ("gated", 0.1))]
    # k3: three quarters of the first style, right in 18 of 24 and 2 of 8; evenly in the base.
    assert arms[0][0] == pytest.approx((0.75 + 0.25) / 2)
    assert arms[0][1] == pytest.approx(np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)))
    assert arms[1][:2] == pytest.approx([(0.75 + 0.5) / 2, 2.0])
    assert arms[1][2:4] == pytest.approx([0.5, 0.5])


def test_a_style_that_is_not_written_is_never_right():
    one = [
        row("base", 0.0, [[8, 8, 0, 0]], [[4, 4, 0, 0]]),
        row("k3", 0.1, [[9, 0, 0, 0]], [[9, 0, 0, 0]]),
    ]
    skill, styles, *rest = written.means(one, ("k3", 0.1))
    assert (skill, styles) == (0.5, 1.0)
    assert rest == [1, 0, 0, 0] * 2


def test_differences_are_of_seeds_that_have_both_and_the_base():
    skill, styles = written.difference(ROWS, ("gated", 0.1), ("k3", 0.1))
    assert skill.mean == pytest.approx(0.125)
    # Of one problem alone it is +0, of the other +.25 where the second style counts half.
    assert skill.low <= 0 < 0.125 < skill.high
    assert styles.mean == pytest.approx(styles.low) == pytest.approx(styles.high)
    assert written.difference(ROWS, ("gated", 0.2), ("k3", 0.1)) == []


def test_tables_are_printed(tmp_path, capsys):
    for one in [*ROWS, {name: ROWS[1][name] for name in store.NAMED} | {"setting": "older"}]:
        store.append(tmp_path / "real.jsonl", one)
    written.main(["--results", str(tmp_path / "real.jsonl")])
    said = capsys.readouterr().out
    assert said.startswith("# s\n")
    assert "| gated @0.1 | 0.625 | 2.000 | 0.50 × 0.750 |" in said
    assert "| gated @0.1 − k3 @0.1 | +0.125 [" in said
    assert "older" not in said
    assert len(STYLES) == said.splitlines()[2].count("share × right")
