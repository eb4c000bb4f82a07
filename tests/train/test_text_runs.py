"""Runs over problems in words: byte tokenizer, tiny random model, answers judged on the host."""

import json

import jax
import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as cores
from transformers import PreTrainedTokenizerFast

from sage_jax import config as configs
from sage_jax import models
from sage_jax.config import ConfigError
from sage_jax.data import DataError
from sage_jax.evaluate import EvalResult
from sage_jax.parallel import MeshError
from sage_jax.train import commands, setup
from sage_jax.train.loop import train
from sage_jax.train.run_folder import RunFolder
from sage_jax.train.stop import StopRequest

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder in Hugging Face's format with a tiny Qwen2 and a byte tokenizer."""
    specials = ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(cores.BPE({t: i for i, t in enumerate([*specials, *alphabet])}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[attr-defined]
    core.decoder = decoders.ByteLevel()  # type: ignore[attr-defined]
    core.add_special_tokens(specials)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|end|>")
    tokenizer.chat_template = TEMPLATE
    config = models.ModelConfig(
        family="qwen2", vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48,
        num_layers=2, num_heads=4, num_kv_heads=2, head_dim=8, max_positions=96, eos_ids=(3,),
    )  # fmt: skip
    _, params = models.init(config, jax.random.key(0))
    folder = tmp_path_factory.mktemp("model") / "tiny"
    models.save_hf(folder, config, params, tokenizer)
    return folder


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, count in (("train", 12), ("test", 4)):
        rows = [
            {
                "id": f"{name}-{i}",
                "problem": f"{i} + 1?",
                "answer": str(i + 1),
                "solution": f"\\boxed{{{i + 1}}}",
                "source": "sums",
            }
            for i in range(count)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def settings(source, problems):
    return {
        "name": "words",
        "model": {"source": str(source)},
        "task": {
            "kind": "jsonl",
            "train_file": str(problems / "train.jsonl"),
            "eval_file": str(problems / "test.jsonl"),
            "instruction": "",
            "num_workers": 1,
            "format_weight": 0.5,
        },
        "rollout": {
            "num_prompts": 2,
            "group_size": 4,
            "max_prompt_length": 32,
            "max_completion_length": 8,
        },
        "optimizer": {"learning_rate": 1e-2, "updates_per_rollout": 2},
        "lora": {"rank": 2},
        "train": {"steps": 2, "sample_every": 1},
        "eval": {"num_problems": 4, "num_samples": 2, "num_samples_during": 2, "batch_prompts": 4},
        "mesh": {"data": 1},
    }


def parsed(settings, changes=None):
    return configs.parse(configs._merge(settings, changes or {}))


def test_problems_from_files_train_adapters(settings, tmp_path):
    config, folder = parsed(settings), RunFolder(tmp_path / "run")
    train(config, folder, StopRequest())
    entries = [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [1, 2]
    assert {"seconds/rollout", "seconds/reward", "seconds/score", "seconds/update"} <= set(
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


@pytest.mark.slow
def test_warm_up_resampling_and_a_prefix_on_files(settings, tmp_path):
    changes = {
        "lora": {"rank": 0},
        "warmup": {"steps": 3, "batch_size": 4},
        "rollout": {"resample": 2, "max_completion_length": 12, "stop": ["}"]},
        "task": {"prefix": "\\boxed{", "prepared_dir": str(tmp_path / "prepared")},
    }
    config, folder = parsed(settings, changes), RunFolder(tmp_path / "run")
    train(config, folder, StopRequest())
    entries = [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]
    # A model of random weights earns nothing, so that every step draws all it may.
    assert [entry["groups/batches_drawn"] for entry in entries] == [3.0, 3.0]
    assert (folder.base / "tokenizer.json").is_file()
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
def test_what_does_not_fit_is_refused_before_any_work(settings, changes, kind, message):
    config = parsed(settings, changes)
    with pytest.raises(kind) as caught:
        setup.open_base(config, config.model.source)
    assert message in str(caught.value)


def test_a_gold_that_cannot_be_read_is_refused_by_id(settings, tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text(json.dumps({"id": "odd-1", "problem": "?", "answer": "\\frac{"}) + "\n")
    config = parsed(settings, {"task": {"train_file": str(path)}})
    with pytest.raises(DataError, match="odd-1"):
        setup.open_base(config, config.model.source)


def test_sampling_a_question_of_ones_own(settings, tmp_path, capsys):
    config, folder = parsed(settings, {"train": {"steps": 1}}), RunFolder(tmp_path / "run")
    train(config, folder, StopRequest())
    commands.sample_run(folder.path, config, prompt="2 + 2?", gold="4", count=2)
    commands.sample_run(folder.path, config, prompt="2 + 2?", gold="", count=1)
    printed = capsys.readouterr().out
    assert "2 + 2?" in printed
    assert "not judged (no --gold)" in printed
    with pytest.raises(ConfigError, match=r"--prompt has \d+ tokens, more than"):
        commands.sample_run(folder.path, config, prompt="9" * 40, gold="", count=1)
