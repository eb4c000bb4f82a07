"""Every field of a config is read, refused, or known to change nothing."""

import inspect
import logging
from typing import Any

import pytest
from transformers import CONFIG_MAPPING

from sage_jax.models import ModelConfig, ModelError, family_names
from sage_jax.models.hf_fields import HARMLESS, NEUTRAL, OF_FAMILIES, USED

SIZES = {
    "vocab_size": 128,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
# Without a window, which Mistral has where nothing else is said.
OWN = {"mistral": {"sliding_window": None}}


def read(family="llama", **fields):
    return ModelConfig.from_hf({"model_type": family, **SIZES, **fields})


@pytest.mark.parametrize("family", family_names())
def test_every_field_that_transformers_knows_is_in_one_list(family):
    kind: Any = CONFIG_MAPPING[family]
    asked = set(inspect.signature(kind.__init__).parameters) - {"self", "args", "kwargs"}
    lists = (USED, set(NEUTRAL), HARMLESS, OF_FAMILIES)
    for name in asked | kind().to_dict().keys():
        assert sum(name in one for one in lists) == 1, (
            f"{family}: Transformers knows the field {name!r}, which is in no list of "
            "sage_jax/models/hf_fields.py: read it, refuse it, or find that it changes nothing"
        )


@pytest.mark.parametrize("family", family_names())
def test_a_config_as_transformers_writes_it_is_read_without_a_word(family, caplog):
    own = SIZES | OWN.get(family, {})
    kind: Any = CONFIG_MAPPING[family]
    fields = kind(**own, tie_word_embeddings=True, pad_token_id=0, eos_token_id=1).to_dict()
    config = ModelConfig.from_hf(fields)
    assert (config.family, config.hidden_size, config.tie_embeddings) == (family, 64, True)
    assert not caplog.records


OFF = {
    "attention_dropout": 0, "logits_scaling": 1, "embedding_multiplier": 1.0, "clip_qkv": None,
    "final_logit_softcapping": 0.0, "num_experts": 0, "use_qk_norm": False, "is_causal": True,
    "no_rope_layers": [1, 1], "attention_multiplier": 0.25, "query_pre_attn_scalar": 16,
    "hidden_act": "swish", "use_cache": False, "temperature": 0.6, "note": None, "weird_scale": 1.0,
}  # fmt: skip
ON = {
    "attention_dropout": 0.1, "logits_scaling": 8, "embedding_multiplier": 12.0, "clip_qkv": 8.0,
    "final_logit_softcapping": 30.0, "num_experts": 4, "use_qk_norm": True, "is_causal": False,
    "no_rope_layers": [1, 0], "attention_multiplier": 0.0078, "query_pre_attn_scalar": 256,
    "hidden_act": "gelu_pytorch_tanh", "alibi": True, "residual_multiplier": 0.22, "logit_scale": 2,
    "rope_local_base_freq": 1e4, "use_bidirectional_attention": True, "weird_scale": 0.5,
    "some_expert_thing": 2, "rope_of_my_own": "spiral", "rotary_pct": 0.25, "qkv_bias": True,
    "is_encoder_decoder": True, "attention_chunk_size": 8192, "mup_enabled": True,
}  # fmt: skip


@pytest.mark.parametrize("name", OFF)
def test_what_does_nothing_is_read(name, caplog):
    assert read(**{name: OFF[name]}) == read()
    assert not caplog.records


@pytest.mark.parametrize("name", ON)
def test_what_changes_the_computation_is_refused_by_name(name):
    with pytest.raises(ModelError, match=f"^{name} "):
        read(**{name: ON[name]})


def test_true_is_not_one():
    with pytest.raises(ModelError, match="logits_scaling is True"):
        read(logits_scaling=True)


def test_what_depends_on_the_family():
    assert read("qwen2", qkv_bias=True, attention_bias=True).traits.attention_bias
    assert read("qwen3", use_qk_norm=True).traits.qk_norm == "head"
    with pytest.raises(ModelError, match="use_qk_norm is False; only true is supported"):
        read("qwen3", use_qk_norm=False)
    with pytest.raises(ModelError, match="qkv_bias is False"):
        read("qwen2", qkv_bias=False)


def test_a_field_that_nobody_knows_is_said_to_be_ignored(caplog):
    with caplog.at_level(logging.WARNING):
        assert read(recipe="slow", conversation_properties=3, tensor_parallel=8) == read()
    names = "conversation_properties, recipe, tensor_parallel"
    assert caplog.messages == [f"config.json: not known here, and ignored: {names}"]
