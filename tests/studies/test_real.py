"""The real model's study: its config runs on a tiny model, and folders make the tables' rows."""

from pathlib import Path

import pytest

from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.evaluate.results import ProblemResult
from sage_jax.run.arms import train_arms
from studies import real, store, tables

CONFIG = configs.load(Path(__file__).parents[2] / "configs" / "smollm2_styles.yaml")
SMALL = {
    "model": {"source": "random"},
    "task": {"min_operand": 1, "max_operand": 9, "system_prompt": ""},
    "lora": {"rank": 2},
    "rollout": {"num_prompts": 2, "group_size": 2, "max_prompt_length": 24},
    "optimizer": {"micro_batch": 0},
    "warmup": {"steps": 1, "batch_size": 4},
    "train": {"steps": 1},
    "eval": {"num_problems": 2, "num_samples": 4, "num_samples_during": 1, "batch_prompts": 2},
    "mesh": {"data": 1},
}


def test_an_arm_of_a_tiny_model_becomes_a_row(byte_model, tmp_path):
    small = configs.merge(SMALL, {"model": {"source": str(byte_model)}})
    fields = configs.merge(CONFIG.model_dump(mode="json"), small)
    fields["arms"] = {name: CONFIG.arms[name] for name in ("no_kl", "gated-0.1")}
    fields["rollout"]["max_completion_length"] = 64
    train_arms(configs.parse(fields), tmp_path / "runs" / "0")
    command = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "real.jsonl")]
    real.main(command)
    found = store.read(tmp_path / "real.jsonl")
    names = [(row["arm"], row["kl_coef"]) for row in found]
    assert names == [("base", 0.0), ("gated", 0.1), ("no_kl", 0.0)]
    assert {(row["setting"], row["base"], row["seed"]) for row in found} == {("runs", 0, 0)}
    assert found[1]["constants"] | {"use": "gated"} == CONFIG.arms["gated-0.1"]["guide"]
    assert [len(row["written"]) for row in found] == [2, 2, 2]
    # What was judged before stays, also where its folder is gone.
    store.append(tmp_path / "real.jsonl", found[1] | {"seed": 7})
    real.main(command)
    assert store.read(tmp_path / "real.jsonl") == [*found, found[1] | {"seed": 7}]
    assert "gated" in tables.table([{"pass@16": 0.0, "pass@64": 0.0} | row for row in found])
    # Where completions were not kept nothing is said of how they begin.
    for part in (tmp_path / "runs").rglob("part-*.jsonl.gz"):
        part.unlink()
    real.main(command)
    assert not any("written" in row for row in store.read(tmp_path / "real.jsonl")[:3])


def test_figures_are_means_over_problems_and_counts_theirs():
    problems = (
        ProblemResult("a", 100, 200, {"1": 100}, "1", {"split": 99, "direct": 1}),
        ProblemResult("b", 2, 200, {"1": 2}, "1", {"round": 2}),
        ProblemResult("c", 0, 200, {}, "1", {}),
    )
    result = EvalResult("base", 0, "t", 200, 0, 1.0, problems, 1.0, 0.0)
    found = real.figures(result)
    assert found["pass@1"] == pytest.approx((0.5 + 0.01) / 3)
    # One right sample of two hundred is less than 1%.
    assert found["modes/kept"] == pytest.approx((1 + 1) / 12)
    assert found["modes/effective"] == pytest.approx((1.0576 + 1) / 2, abs=1e-3)
    assert real.counts(result)["correct"] == [100, 2, 0]
    assert real.counts(result)["styles"][0] == [1, 99, 0, 0]
