"""Seconds of a step and chip-hours of a run, from costs and rates that are known."""

import dataclasses
from pathlib import Path

import pytest

from sage_jax import config as configs
from sage_jax.plan import as_json
from sage_jax.plan.chip_hours import run_cost
from sage_jax.plan.chips import CHIPS, host
from sage_jax.plan.cost import Cost
from sage_jax.plan.evaluations import completions

HOME = Path(__file__).parents[2]
CHIP = dataclasses.replace(CHIPS["v5e"], flops=100.0, memory_rate=10.0, link_rate=1.0)
PREFILL = Cost(flops=300, moved=10)  # 3 s of compute.
DECODE = Cost(flops=100, moved=50)  # 5 s of memory.
UPDATE = Cost(flops=100, moved=10, sent={"all-reduce": 3, "all-gather": 1})  # 4 s of links.


def test_each_part_takes_its_own_limit_and_they_add_up():
    cost = run_cost([PREFILL, DECODE, UPDATE], CHIP, steps=300, devices=64)
    assert cost is not None
    assert cost.step_seconds == 12
    assert cost.hours == 1
    assert cost.chip_hours == 64


def test_unknown_rates_give_no_cost():
    assert run_cost([PREFILL, DECODE], host(8), steps=300, devices=8) is None


def of_a_known_chip(plan):
    return dataclasses.replace(plan, topology=dataclasses.replace(plan.topology, chip=CHIP))


def test_a_plan_sums_what_it_tells_of_the_steps(plan):
    said = as_json(of_a_known_chip(plan))
    told = [part["seconds"] for step in said["steps"] for part in step["work"].values()]
    assert len(told) == 4  # Prefill, decoding, scoring, update.
    assert said["cost"]["step_seconds"] == pytest.approx(sum(told))
    assert said["cost"]["chip_hours"] == pytest.approx(8 * 100 * sum(told) / 3600)
    assert "lower bound" in said["cost"]["bound"]


def test_evaluations_cost_the_rollouts_that_draw_as_many(plan):
    known = of_a_known_chip(plan)
    said = as_json(known)
    sampling = sum(part["seconds"] for part in said["steps"][0]["work"].values())
    drawn = completions(plan.config)
    assert said["evaluations"]["completions"] == drawn
    of_one = plan.config.rollout.num_completions
    assert said["evaluations"]["hours"] == pytest.approx(-(-drawn // of_one) * sampling / 3600)


def test_evaluations_are_before_between_and_after_the_steps():
    config = configs.load(HOME / "configs" / "arena_7b.yaml")
    assert (config.train.steps, config.train.eval_every) == (1000, 100)
    # Step 1,000 is evaluated once.
    assert completions(config) == 500 * (64 + 9 * 4 + 64)
    exact = config.eval.model_copy(update={"exact": True})
    assert completions(config.model_copy(update={"eval": exact})) == 0


def test_a_plan_without_every_step_has_no_cost(plan):
    refused = dataclasses.replace(plan.steps[-1], costs=None)
    known = of_a_known_chip(plan)
    assert dataclasses.replace(known, steps=[*plan.steps[:-1], refused]).cost is None
    assert plan.cost is None  # Of a CPU no rate is known.
