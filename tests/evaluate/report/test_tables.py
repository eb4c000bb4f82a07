import dataclasses

import pytest
from looks import looks_of, text

from sage_jax.evaluate import Interval, Sample, read_runs
from sage_jax.evaluate.comparison import compare
from sage_jax.evaluate.permutation import sign_flips
from sage_jax.evaluate.report.tables import change, config_tables, difference_table, figure
from sage_jax.evaluate.report.transcripts import transcripts


@pytest.fixture(scope="module")
def runs(arms):
    return read_runs([arms])


def test_figures_read_as_percent_and_points():
    assert text(figure("pass@1", Interval(0.5, 0.412, 0.61))) == "50.0% 41.2 to 61.0"
    assert text(change("pass@1", Interval(0.05, 0.01, 0.09))) == "▲ +5.0 +1.0 to +9.0"
    assert text(change("pass@1", Interval(-0.05, -0.09, -0.01))) == "▼ −5.0 −9.0 to −1.0"
    assert text(change("pass@1", Interval(0.0, -0.01, 0.01))) == "≈ +0.0 −1.0 to +1.0"
    tested = change("pass@1", Interval(0.05, 0.01, 0.09), 0.0123)
    assert text(tested) == "▲ +5.0 +1.0 to +9.0; p 0.012"


def test_differences_have_p_values_corrected_for_their_number(runs):
    comparison = compare(runs)
    before, after = comparison.results["base"], comparison.results["sage"]
    (test, *_) = sign_flips(after.pass_table([1]) - before.pass_table([1]))
    ps = comparison.p_values()
    assert [*ps] == comparison.pairs()
    alone = dataclasses.replace(
        comparison, results={k: comparison.results[k] for k in ("base", "sage")}
    )
    assert alone.p_values()["sage", "base"][0] == test.p
    # Three pairs: at least as much as alone, at most three times.
    assert test.p <= ps["sage", "base"][0] <= 3 * test.p
    assert f"p {ps['sage', 'base'][0]:.2g}" in text(difference_table(comparison, looks_of(runs)))


def test_many_differences_between_arms_are_folded_away(runs):
    many = [dataclasses.replace(runs[0], name=f"arm{n}") for n in range(6)]
    shown = difference_table(compare(many), looks_of(many))
    assert "15 differences between arms" in shown
    assert shown.count("<tr>") == 2 + 6 + 15
    few = difference_table(compare(runs), looks_of(runs))
    assert "<details" not in few


def test_equal_configs_are_said_to_be_equal(runs):
    twins = [dataclasses.replace(runs[0], name=name) for name in ("a", "b")]
    shown = text(config_tables(twins, looks_of(twins)))
    assert "All fields are equal in all arms." in shown
    assert "2 fields equal in all arms" in shown


def test_a_field_that_one_arm_lacks_is_a_difference(runs):
    shown = text(config_tables(runs, looks_of(runs)))
    assert "loss.guide — branch" in shown


@pytest.mark.parametrize(("reward", "mark"), [(1.0, "✓"), (0.0, "✗"), (0.5, "◐"), (-1.0, "✗")])
def test_completions_show_their_reward_and_lose_their_middle(runs, reward, mark):
    long = "start " + "x" * 5000 + " end"
    sample = Sample(3, "p0", "prompt", long, reward, "", "length", "no_answer")
    run = dataclasses.replace(runs[0], samples=(sample,))
    shown = text(transcripts(run, looks_of(runs), unfold=False))
    assert f"{mark} reward {reward:g} no_answer · ended by length" in shown
    assert "[… 2,010 characters left out …]" in shown
    assert "start" in shown
    assert shown.endswith("end")
