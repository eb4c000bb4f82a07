import dataclasses
import re

import numpy as np
import pytest
from looks import looks_of, text

from sage_jax.evaluate import read_runs
from sage_jax.evaluate.report.timing import split, split_table, timing_table


@pytest.fixture(scope="module")
def runs(arms):
    return read_runs([arms])


@pytest.mark.parametrize(
    ("seconds", "shown"), [(12.34, "12.3 s"), (75.2, "1 min 15 s"), (7384.0, "2 h 03 min")]
)
def test_times_read_as_times_and_gaps_as_dashes(runs, seconds, shown):
    metrics = {"step": np.array([1.0, 2.0]), "time": np.array([1.0, seconds])}
    run = dataclasses.replace(runs[0], metrics=metrics)
    row = text(timing_table([run], looks_of(runs)))
    assert f"grpo 2 {shown} —" in row


def test_phases_are_those_that_were_timed(runs):
    step, whole = np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 9.0])
    metrics = {"step": step, "seconds/step": whole, "tokens_per_s/step": 1000 * step}
    row = text(timing_table([dataclasses.replace(runs[0], metrics=metrics)], looks_of(runs)))
    assert "step step tokens/s peak memory" in row
    assert "grpo 3 10.5 s 1 s 2,000 —" in row


def test_a_run_without_steps_has_no_row(runs):
    run = dataclasses.replace(runs[0], metrics={})
    assert "grpo" not in timing_table([run], looks_of(runs))


def seconds(**phases):
    return {f"seconds/{name}": np.array(values) for name, values in phases.items()}


def test_a_step_is_split_by_medians_and_never_into_more_than_all_of_it():
    metrics = seconds(
        step=[99.0, 10, 10], rollout=[60.0, 5, 5], reward=[np.nan, 1, 1], update=[3.0] * 3
    )
    found = {"sampling": 0.5, "waiting for verdicts": 0.1, "learning": 0.3, "the rest": 0.1}
    assert split(metrics) == pytest.approx(found)
    longer = split(seconds(step=[4.0], rollout=[4.0], update=[4.0]))
    assert longer["sampling"] == longer["learning"] == 0.5
    assert split({}) == split(seconds(step=[0.0])) == {}


def test_shares_are_told_in_numbers_and_in_a_bar(runs):
    run = dataclasses.replace(runs[0], metrics=seconds(step=[8.0], rollout=[6.0], update=[1.0]))
    markup = split_table([run, dataclasses.replace(runs[1], metrics={})], looks_of(runs))
    assert "grpo 75% 0% 12% 12%" in text(markup)
    assert "sage" not in text(markup)
    assert re.findall(r"width:([\d.]+%)", markup) == ["75.0%", "0.0%", "12.5%", "12.5%"]
    assert split_table([runs[1]], looks_of(runs)) == split_table([], {}) == ""
