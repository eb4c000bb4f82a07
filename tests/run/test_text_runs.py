"""Runs over problems in words: byte tokenizer, tiny random model, answers judged on the host."""

import json
import re

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs import assert_close, entries

from sage_jax import config as configs
from sage_jax import models, setup
from sage_jax.config import ConfigError
from sage_jax.data import DataError
from sage_jax.evaluate import EvalResult
from sage_jax.learn import packing, steps
from sage_jax.parallel import MeshError
from sage_jax.run import commands
from sage_jax.run.inputs import InputError
from sage_jax.run.loop import train
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import StopRequest


def test_problems_from_files_train_adapters(adapted):
    config, folder = adapted
    entries = [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [1, 2]
    assert {"seconds/rollout", "seconds/reward", "seconds/logprobs", "seconds/update"} <= set(
        entries[0]
    )
    sample = json.loads(folder.samples_file(1).read_text().splitlines()[0])
    assert sample["id"].startswith("train-")
    assert sample["gold"] == str(int(sample["id"].removeprefix("train-")) + 1)
    final = EvalResult.load(folder.eval_file("final"))
    assert final.ids == ("test-0", "test-1", "test-2", "test-3")
    trained = commands.load_trained(folder.path, config)
    trained.base.task.close()
    exported = trained.export()
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), exported, trained.base.loaded.params)
    assert max(map(float, jax.tree.leaves(moved))) > 0


def test_a_parquet_file_of_own_columns_trains_by_config_alone(byte_model, tmp_path):
    rows = [
        {"question": f"{n} + 1?", "final": f"#### {n + 1}", "meta": {"level": n % 2}}
        for n in range(24)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "sums.parquet")
    (tmp_path / "sums.yaml").write_text(f"""
name: sums
model: {{source: {byte_model}}}
task:
  use: hf
  path: {tmp_path / "sums.parquet"}
  columns: {{problem: question, answer: final, level: meta.level}}
  answer_from: hashes
  where: {{meta.level: 1}}
  held_out_share: 0.5
  instruction: ""
  num_workers: 1
rollout: {{num_prompts: 2, group_size: 4, max_prompt_length: 32, max_completion_length: 8}}
optimizer: {{learning_rate: 1.0e-2, num_minibatches: 2}}
lora: {{rank: 2}}
train: {{steps: 1, sample_every: 1}}
eval: {{num_problems: 4, num_samples: 2, num_samples_during: 2, batch_prompts: 4}}
mesh: {{data: 1}}
""")
    config = configs.load(tmp_path / "sums.yaml")
    folder = RunFolder(tmp_path / "run")
    train(config, folder, StopRequest())
    sample = json.loads(folder.samples_file(1).read_text().splitlines()[0])
    row = int(sample["id"].removeprefix("sums-"))
    assert (row % 2, sample["gold"]) == (0, str(row))
    # No argument of that task names a file, and other problems are refused all the same.
    pq.write_table(pa.Table.from_pylist(rows[:-1]), tmp_path / "sums.parquet")
    more = configs.override(config, {"train": {"steps": 2}})
    with pytest.raises(InputError, match=r"problems (to train on|held out): \d+ problems then, "):
        train(more, folder, StopRequest())


@pytest.mark.slow
def test_a_run_is_the_same_with_completions_that_share_rows(
    make_words_config, tmp_path, monkeypatch
):
    """Any printable character ends a row, so that most rows are short."""
    made = []

    def spy(*args, **options):
        made.append(packing.fit(*args, **options))
        return made[-1]

    monkeypatch.setattr(steps, "fit", spy)
    seen = []
    for packed in (True, False):
        stop = [chr(code) for code in range(33, 127)]
        optimizer = {"packing": packed, "num_minibatches": 1, "learning_rate": 1e-5}
        config = make_words_config(
            {"rollout": {"stop": stop, "max_completion_length": 12}, "optimizer": optimizer}
        )
        folder = RunFolder(tmp_path / str(packed))
        train(config, folder, StopRequest())
        seen.append(entries(folder))
    assert [one and one.rows for one in made] == [3, 2]
    for left, right in zip(*seen, strict=True):
        assert left.pop("padding") < right.pop("padding")
        # float32 sums over other numbers of rows.
        assert_close(left, right, rtol=1e-4, atol=1e-6)


def test_rollouts_in_chunks_are_the_same(make_words_config, tmp_path):
    samples = []
    for chunks in (1, 2):
        config = make_words_config({"rollout": {"chunks": chunks}, "train": {"steps": 1}})
        folder = RunFolder(tmp_path / str(chunks))
        train(config, folder, StopRequest())
        samples.append(folder.samples_file(1).read_text())
    assert samples[0] == samples[1]


@pytest.mark.slow
def test_warm_up_resampling_and_a_prefix_on_files(make_words_config, tmp_path):
    changes = {
        "warmup": {"steps": 3, "batch_size": 4},
        "optimizer": {"num_minibatches": 1},
        "rollout": {"dynamic_sampling": 2, "max_completion_length": 12, "stop": ["}"]},
        "task": {"prefix": "\\boxed{", "prepared_dir": str(tmp_path / "prepared")},
    }
    config, folder = make_words_config(changes), RunFolder(tmp_path / "run")
    train(config, folder, StopRequest())
    entries = [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]
    # A model of random weights earns nothing, so that every step draws all it may.
    assert [entry["groups/batches_drawn"] for entry in entries] == [3.0, 3.0]
    assert (folder.base / "tokenizer.json").is_file()
    # Adapters begin on the warmed-up weights, which are the reference.
    assert abs(entries[0]["kl/reference"]) < 1e-6
    trained = commands.load_trained(folder.path, config)
    trained.base.task.close()
    assert trained.learner.policy.modules.adapter_alpha is not None
    assert any((tmp_path / "prepared").rglob("*.array_record*"))


REFUSED = [
    ({"rollout": {"max_completion_length": 80}}, ConfigError,
     "is 112, but the model has positions for 96"),
    ({"rollout": {"max_prompt_length": 3}}, DataError, "all 12 training prompts are longer"),
    ({"mesh": {"data": 16}, "rollout": {"num_prompts": 16}, "eval": {"batch_prompts": 16}},
     MeshError, "needs 16 devices, but there are 8"),
    ({"mesh": {"data": 4}}, ConfigError, "rollout.num_prompts 2 is not divisible by the 4 devices"),
    ({"task": {"train_file": "nowhere.jsonl"}}, DataError, "nowhere.jsonl"),
    ({"task": {"exclude_ids": ["train-99"]}}, DataError, "has no problem 'train-99'"),
    ({"task": {"source_prefix": "other"}}, DataError, "no problem's source begins with 'other'"),
    ({"model": {"source": "nowhere/at/all"}}, models.ModelError, "no such folder"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "kind", "message"), REFUSED, ids=lambda x: str(x)[:40])
def test_what_does_not_fit_is_refused_before_any_work(make_words_config, changes, kind, message):
    config = make_words_config(changes)
    with pytest.raises(kind) as caught:
        setup.open_base(config, config.model.source)
    assert message in str(caught.value)


def test_a_gold_that_cannot_be_read_is_refused_by_id(make_words_config, tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text(json.dumps({"id": "odd-1", "problem": "?", "answer": "\\frac{"}) + "\n")
    config = make_words_config({"task": {"train_file": str(path)}})
    with pytest.raises(DataError, match="odd-1"):
        setup.open_base(config, config.model.source)


def test_sampling_a_question_of_ones_own(make_words_config, tmp_path, capsys):
    config, folder = make_words_config({"train": {"steps": 1}}), RunFolder(tmp_path / "run")
    train(config, folder, StopRequest())
    commands.sample_run(folder.path, config, prompt="2 + 2?", gold="4", count=2)
    greedy = configs.override(config, {"rollout": {"top_k": 1}})
    capsys.readouterr()
    commands.sample_run(folder.path, greedy, prompt="2 + 2?", gold="", count=3)
    _, *completions = re.split(r"─+ \d: .* ─+\n", capsys.readouterr().out)
    assert len(completions) == 3
    assert len(set(completions)) == 1
    commands.sample_run(folder.path, config, prompt="2 + 2?", gold="", count=1)
    printed = capsys.readouterr().out
    assert "2 + 2?" in printed
    assert "not judged (no --gold)" in printed
    with pytest.raises(DataError, match=r"the prompt has \d+ tokens, more than"):
        commands.sample_run(folder.path, config, prompt="9" * 40, gold="", count=1)
