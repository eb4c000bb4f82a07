"""Any folder or file of a model is loaded, or refused with a ModelError of one line."""

import json
import shutil
import struct
import time
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import changed, fuzzed, spoilt
from safetensors.numpy import save

from sage_jax.models import ModelConfig, ModelError, load, read_config
from sage_jax.models.gguf_file import gguf_config, read_gguf
from sage_jax.models.gguf_tokenizer import build_tokenizer
from sage_jax.models.safetensors_file import INDEX, SINGLE, folder_tensors

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = ["tiny_llama", "tiny_llama3_rope", "tiny_qwen2", "tiny_qwen3", "tiny_granite", "tiny_gemma"]
CONFIGS = [json.loads((GOLDEN / name / "config.json").read_text()) for name in NAMES]
PIECES = (
    b"\x00", b"\xff", b"\x01", b"\x7f", b"{", b"}", b'"', b"[" * 2000, b"9" * 5000, b"F8_E4M3",
    b"\n", b"\x00" * 4, b"\xff" * 4, b"\x00" * 8, b"\xff" * 8,
    b"\xff" * 7 + b"\x7f", b"\x00\x00\x00\x40", struct.pack("<Q", 2**40), struct.pack("<Q", 2**61),
    struct.pack("<I", 9), struct.pack("<I", 8),
)  # fmt: skip


def refused(make):
    """What is made, or None where it is refused by name."""
    try:
        return make()
    except ModelError as error:
        message = str(error)
    assert 0 < len(message) < 1500
    return None


@pytest.fixture(scope="module")
def folder(scratch):
    """An empty folder for a model."""
    (scratch / "model").mkdir(exist_ok=True)
    return scratch / "model"


@fuzzed(300)
@given(st.sampled_from(CONFIGS).flatmap(changed), st.none() | changed({"eos_token_id": [1, 2]}))
def test_changed_configs(folder, fields, generation):
    (folder / "config.json").write_text(json.dumps(fields))
    (folder / "generation_config.json").write_text(json.dumps(generation or {}))
    made = refused(lambda: read_config(folder))
    if made is not None:
        assert ModelConfig.from_hf(json.loads(json.dumps(made.to_hf()))) == made


@fuzzed(100)
@given(st.sampled_from(CONFIGS).flatmap(lambda c: spoilt(json.dumps(c).encode(), PIECES)))
def test_spoilt_configs(folder, data):
    (folder / "config.json").write_bytes(data)
    refused(lambda: read_config(folder))


@fuzzed(60)
@given(changed(CONFIGS[2]))
def test_a_changed_config_over_sound_weights(scratch, fields):
    home = scratch / "whole"
    home.mkdir(exist_ok=True)
    if not (home / SINGLE).exists():
        shutil.copy(GOLDEN / NAMES[2] / SINGLE, home)
    (home / "config.json").write_text(json.dumps(fields))
    refused(lambda: load(home))


WEIGHTS = save({"a": np.ones((2, 3), np.float32), "b": np.zeros(4, np.float16)})


@fuzzed(250)
@given(spoilt(WEIGHTS, PIECES))
def test_spoilt_weights(folder, data):
    (folder / SINGLE).write_bytes(data)
    found = refused(lambda: folder_tensors(folder))
    for ref in (found or {}).values():
        assert ref.read().shape == ref.shape


INDEXES = {
    "metadata": {"total_size": 32},
    "weight_map": {"a": "one.safetensors", "b": "two.safetensors"},
}
PLACES = [
    "../one.safetensors", "/etc/passwd", "..", ".", "", "one.safetensors/", "a/../one.safetensors",
    "one.safetensors\x00", "~/x", "C:\\x", "config.json", "x" * 300,
]  # fmt: skip


@pytest.fixture(scope="module")
def sharded(scratch):
    """A folder of two shards."""
    home = scratch / "sharded"
    home.mkdir(exist_ok=True)
    (home / "one.safetensors").write_bytes(save({"a": np.ones(2, np.float32)}))
    (home / "two.safetensors").write_bytes(save({"b": np.ones(2, np.float32)}))
    (home / INDEX).write_text(json.dumps(INDEXES))
    assert folder_tensors(home).keys() == {"a", "b"}
    return home


@fuzzed(150)
@given(changed(INDEXES))
def test_changed_indexes(sharded, index):
    (sharded / INDEX).write_text(json.dumps(index))
    found = refused(lambda: folder_tensors(sharded))
    assert found is None or found.keys() == index["weight_map"].keys()


@pytest.mark.parametrize("place", PLACES)
def test_shards_lie_in_the_folder(sharded, place):
    (sharded / INDEX).write_text(json.dumps({"weight_map": {"a": place}}))
    with pytest.raises(ModelError, match=r"named in model\.safetensors\.index\.json is"):
        folder_tensors(sharded)


FIELDS = {
    "general.architecture": "llama",
    "llama.block_count": 1,
    "llama.context_length": 32,
    "llama.embedding_length": 8,
    "llama.feed_forward_length": 8,
    "llama.attention.head_count": 2,
    "llama.attention.head_count_kv": 1,
    "llama.attention.layer_norm_rms_epsilon": 1e-6,
    "llama.rope.freq_base": 1e4,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": ["a", "b", "ab", "<s>"],
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.token_type": [1, 1, 1, 3],
    "tokenizer.ggml.eos_token_id": 3,
    "tokenizer.ggml.bos_token_id": 3,
    "tokenizer.ggml.add_bos_token": 1,
}


@pytest.fixture(scope="module")
def gguf_bytes(tmp_path_factory):
    """A small GGUF file with a tokenizer."""
    gguf = pytest.importorskip("gguf", reason="needs the package gguf (sage-jax[gguf])")
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    adds = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string,
            list: writer.add_array}  # fmt: skip
    for name, value in list(FIELDS.items())[1:]:
        adds[type(value)](name, value)
    writer.add_tensor("token_embd.weight", np.ones((4, 8), np.float32))
    writer.add_tensor("output_norm.weight", np.ones(8, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert read_gguf(path)[2] is not None
    return path.read_bytes()


@fuzzed(400)
@given(st.data())
def test_spoilt_gguf(scratch, gguf_bytes, data):
    path = scratch / "m.gguf"
    path.write_bytes(data.draw(spoilt(gguf_bytes, PIECES)))
    found = refused(lambda: read_gguf(path))
    for ref in (found[1] if found else {}).values():
        refused(ref.read)


@fuzzed(250)
@given(changed(FIELDS))
def test_changed_gguf_metadata(fields):
    embedding = types.SimpleNamespace(shape=np.array([8, 4], np.uint64))
    refused(lambda: gguf_config(fields, {"token_embd.weight": embedding}))
    refused(lambda: build_tokenizer(fields))


@pytest.mark.parametrize("length", [2**24, 2**40, 2**63])
def test_a_damaged_length_is_refused_at_once(tmp_path, gguf_bytes, length):
    # The merges are the last array but one: a length beyond the end of the file.
    whole = struct.pack("<IQ", 8, 1)  # strings, one of them
    assert gguf_bytes.count(whole) == 1
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf_bytes.replace(whole, struct.pack("<IQ", 8, length)))
    begun = time.process_time()
    with pytest.raises(ModelError, match="is not a sound GGUF file"):
        read_gguf(path)
    assert time.process_time() - begun < 10
