"""A family is one module: found by its name, and asked by what computes, loads and writes."""

from typing import Any, get_args

import jax
import numpy as np
import pages
import pytest
import transformers
from flax import nnx
from safetensors.numpy import load_file
from transformers import CONFIG_MAPPING

from sage_jax.config.sections import Architecture
from sage_jax.models import ModelConfig, ModelError, family_names, init, load, merge, save_hf
from sage_jax.models import families as room
from sage_jax.models.family import find
from sage_jax.models.gguf_file import gguf_config

SIZES = {
    "vocab_size": 128, "hidden_size": 128, "intermediate_size": 160, "num_hidden_layers": 2,
    "num_attention_heads": 32,
}  # fmt: skip


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The name of the documents' own family, whose file lies in the room."""
    (tmp_path / "room").mkdir()
    [code] = pages.blocks("docs/models.md", "python")
    (tmp_path / "room" / "mine.py").write_text(code)
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path / "room")])
    return "mine"


def test_one_file_is_a_family(mine, make_config, make_batch, tmp_path):
    config = make_config(mine, residual_multiplier=0.25)
    graphdef, params = init(config, jax.random.key(0))
    save_hf(tmp_path / "m", config, params)
    loaded = load(tmp_path / "m")
    assert (loaded.config, loaded.graphdef) == (config, graphdef)
    names = load_file(tmp_path / "m" / "model.safetensors").keys()
    assert {"head.weight", "model.layers.2.wide.weight"} <= names
    assert not np.any(nnx.to_pure_dict(params)["norm"]["scale"])  # Plus the offset, one.
    half = make_config(mine, residual_multiplier=0.5)
    assert ModelConfig.from_hf({**config.to_hf(), "residual_multiplier": None}) == half
    batch = make_batch(1, 5)
    one, other = (merge(graphdef, p)(*batch)[0] for p in (params, loaded.params))
    np.testing.assert_array_equal(one, other)


def test_the_names_are_the_modules_and_what_a_config_may_say():
    assert {"llama", "qwen2", "qwen3", "mistral", "granite", "gemma", "olmo2"} <= {*family_names()}
    assert get_args(Architecture.model_fields["family"].annotation) == family_names()


@pytest.mark.parametrize("name", family_names())
def test_what_a_config_leaves_out_is_what_transformers_takes(name):
    assert hasattr(transformers, find(name).architecture)
    own: dict[str, Any] = SIZES | {"eos_token_id": 1, "pad_token_id": 0, "bos_token_id": 2}
    own |= {"sliding_window": None} if name == "mistral" else {}
    kind: Any = CONFIG_MAPPING[name]
    theirs = ModelConfig.from_hf(kind(**own).to_dict())
    assert ModelConfig.from_hf({"model_type": name, **own}) == theirs


def of(family, **fields):
    return lambda: ModelConfig.from_hf({"model_type": family, **SIZES, **fields})


REFUSALS = {
    "unknown": (of("mamba"), r"^model_type is 'mamba'; supported: gemma, granite, llama, "),
    "a module's path": (of("../llama"), "model_type is '../llama'"),
    "a list": (of(["llama"]), r"model_type is \['llama'\]; supported"),
    "a window left out": (of("mistral"), "sliding_window is 4096 where config.json leaves it out"),
    "a window": (of("mistral", sliding_window=8), "sliding_window is 8; it is not supported"),
    "not its activation": (of("gemma", hidden_act="silu"), "hidden_act is 'silu'; supported: 'gel"),
    "no number": (of("granite", logits_scaling="8"), "logits_scaling is '8'; it must be a pos"),
    "no scale": (of("granite", residual_multiplier=0), "residual_multiplier is 0; it must be a"),
    "not its multiplier": (of("llama", logits_scaling=8), "logits_scaling is 8; only 1 is"),
    "no such GGUF files": (
        lambda: gguf_config({"general.architecture": "gemma"}, {}),
        r"general\.architecture is 'gemma'; supported: llama, qwen2, qwen3$",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case):
    make, message = REFUSALS[case]
    with pytest.raises(ModelError, match=message):
        make()


def test_a_multiplier_that_the_family_has_not_is_refused(make_config):
    with pytest.raises(ModelError, match="embedding_multiplier is 12; family 'llama' has none"):
        make_config("llama", embedding_multiplier=12)
