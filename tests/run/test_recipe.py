"""The paper's recipe from names alone, in miniature: warm-up, training, five sets, the table."""

import json
import os

import byte_models
import pytest

from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.run import commands
from sage_jax.run.loop import train
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import StopRequest

SUITES = ("aime24", "aime25", "amc23", "math500", "minerva")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("SAGE_DATA_DIR"), reason="SAGE_DATA_DIR is not given"),
]


def miniature(monkeypatch, tmp_path) -> configs.Config:
    """The config of the 7B run, but for the model, what the warm-up shows, and sizes."""
    model = str(byte_models.save(tmp_path / "model", max_positions=2048))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    whole = configs.load("configs/qwen2_5_math_7b_dapo.yaml").model_dump(mode="json")
    small = {
        "model": {"source": model, "compute_dtype": "float32", "param_dtype": "float32"},
        "task": {"num_workers": 1},
        # MATH's own archive is not among the files given by hand, and its bytes would be many.
        "warmup": {"task": "arithmetic", "steps": 2, "batch_size": 2, "checkpoint_every": 2},
        "rollout": {
            "num_prompts": 2, "group_size": 2, "max_prompt_length": 256,
            "max_completion_length": 80,
        },
        "optimizer": {"micro_batch": 0},
        "train": {"steps": 1, "eval_every": 0, "checkpoint_every": 1},
        "eval": {"num_problems": 2, "num_samples": 2, "num_samples_during": 2,
                 "batch_prompts": 32},
        "mesh": {"data": 1, "fsdp": 1},
    }  # fmt: skip
    return configs.parse(configs.merge(whole, small))


def test_the_recipe_from_names_alone(monkeypatch, tmp_path, capsys):
    config, folder = miniature(monkeypatch, tmp_path), RunFolder(tmp_path / "run")
    train(config, folder, StopRequest())
    removed = [json.loads(line) for line in folder.contaminated_file.read_text().splitlines()]
    met = {line["evaluation_id"].partition("-")[0] for line in removed}
    assert met == {"amc23", "math500"}
    assert len({line["evaluation_id"] for line in removed}) >= 44
    final = EvalResult.load(folder.eval_file("final"))
    assert all(id.startswith("math500-") for id in final.ids)
    commands.evaluate_run(folder.path, config)
    for suite in SUITES:
        for tag in ("base", "final"):
            found = EvalResult.load(folder.suites / suite / tag / "seed-0.json")
            assert found.temperature == 0.3
            assert all(id.startswith(f"{suite}-") for id in found.ids)
    table = (folder.suites / "table.md").read_text().splitlines()
    assert [head.split()[0] for head in table[0].split("|")[2:-1:2]] == [*SUITES, "average"]
    assert [line.split("|")[1].strip() for line in table[2:4]] == ["base", "final"]
    assert "average" in capsys.readouterr().out
