import json

import pytest
from transformers import AutoConfig

from sage_jax.models import Llama3Scaling, ModelConfig, ModelError, family_names

LLAMA = {
    "model_type": "llama",
    "vocab_size": 128,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
QWEN2 = {**LLAMA, "model_type": "qwen2"}
QWEN3 = {**LLAMA, "model_type": "qwen3"}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def without(fields, name):
    return {key: value for key, value in fields.items() if key != name}


def test_defaults_are_those_of_the_families():
    llama, qwen3 = ModelConfig.from_hf(LLAMA), ModelConfig.from_hf(QWEN3)
    assert (llama.head_dim, llama.rope_theta, llama.tie_embeddings) == (16, 10000.0, False)
    assert (qwen3.head_dim, qwen3.traits.qk_norm, qwen3.max_positions) == (128, "head", 32768)
    assert ModelConfig.from_hf(without(LLAMA, "num_key_value_heads")).num_kv_heads == 4
    assert ModelConfig.from_hf(QWEN2).traits.attention_bias
    gemma = ModelConfig.from_hf({**LLAMA, "model_type": "gemma"})
    assert (gemma.head_dim, gemma.tie_embeddings, gemma.max_positions) == (256, True, 8192)
    assert ModelConfig.from_hf({**LLAMA, "model_type": "granite"}).attention_scale == 1
    assert ModelConfig.from_hf({**LLAMA, "hidden_size": 66, "head_dim": 16}).head_dim == 16


def test_both_spellings_of_the_rope_fields():
    old = {**LLAMA, "rope_theta": 5e5, "rope_scaling": LLAMA3_ROPE}
    new = {**LLAMA, "rope_parameters": {"rope_theta": 5e5, **LLAMA3_ROPE}}
    want = Llama3Scaling(
        factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_positions=64
    )
    for fields in (old, new):
        config = ModelConfig.from_hf(fields)
        assert (config.rope_theta, config.rope_scaling) == (5e5, want)


def test_a_window_that_is_switched_off_is_accepted():
    fields = {**QWEN2, "use_sliding_window": False, "sliding_window": 4096}
    assert ModelConfig.from_hf(fields).family == "qwen2"


def test_special_ids():
    fields = {**LLAMA, "eos_token_id": [2, 3], "pad_token_id": -1, "bos_token_id": 1}
    config = ModelConfig.from_hf(fields)
    assert (config.eos_ids, config.pad_id, config.bos_id) == ((2, 3), None, 1)


@pytest.mark.parametrize("family", family_names())
def test_round_trip_through_hugging_face(make_config, family, tmp_path):
    config = make_config(family, eos_ids=(1, 2), rope_theta=5e5)
    fields = config.to_hf()
    assert ModelConfig.from_hf(json.loads(json.dumps(fields))) == config
    (tmp_path / "config.json").write_text(json.dumps(fields))
    theirs = AutoConfig.from_pretrained(tmp_path)
    assert ModelConfig.from_hf(theirs.to_dict()) == config


REFUSALS = {
    "model type": ({**LLAMA, "model_type": "mamba"}, "model_type is 'mamba'"),
    "no model type": (without(LLAMA, "model_type"), "model_type is None"),
    "activation": ({**LLAMA, "hidden_act": "gelu"}, "hidden_act is 'gelu'; supported: 'silu'"),
    "mlp bias": ({**LLAMA, "mlp_bias": True}, "mlp_bias is True"),
    "llama attention bias": ({**LLAMA, "attention_bias": True}, "attention_bias is True"),
    "qwen3 attention bias": ({**QWEN3, "attention_bias": True}, "attention_bias is True"),
    "window": ({**QWEN2, "use_sliding_window": True}, "use_sliding_window is true"),
    "llama window": ({**LLAMA, "sliding_window": 4096}, "sliding_window is 4096"),
    "layer types": (
        {**QWEN3, "layer_types": ["full_attention", "sliding_attention"]},
        "layer_types holds 'sliding_attention'",
    ),
    "rope type": ({**LLAMA, "rope_scaling": {"rope_type": "yarn"}}, "rope_type is 'yarn'"),
    "old rope type": ({**LLAMA, "rope_scaling": {"type": "linear"}}, "rope_type is 'linear'"),
    "new rope type": ({**LLAMA, "rope_parameters": {"rope_type": "dynamic"}}, "is 'dynamic'"),
    "rope not an object": ({**LLAMA, "rope_scaling": 8}, "rope_scaling is 8; it must be an object"),
    "rope factor": (
        {**LLAMA, "rope_scaling": without(LLAMA3_ROPE, "factor")},
        "rope_scaling.factor is missing",
    ),
    "rope shrinks": (
        {**LLAMA, "rope_scaling": {**LLAMA3_ROPE, "factor": 0.5}},
        "rope_scaling.factor is 0.5; it must be at least 1",
    ),
    "rope bands": (
        {**LLAMA, "rope_scaling": {**LLAMA3_ROPE, "low_freq_factor": 4.0}},
        "rope_scaling.low_freq_factor is 4.0",
    ),
    "partial rotation": ({**LLAMA, "partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
    "mrope": ({**QWEN2, "use_mrope": True}, "use_mrope is True"),
    "quantised": ({**LLAMA, "quantization_config": {"bits": 4}}, "quantization_config is set"),
    "remote code": ({**LLAMA, "auto_map": {"AutoModel": "x.Y"}}, "auto_map is set"),
    "missing size": (without(LLAMA, "hidden_size"), "hidden_size is missing from config.json"),
    "ill-typed size": ({**LLAMA, "hidden_size": "64"}, "hidden_size is '64'"),
    "no layers": ({**LLAMA, "num_hidden_layers": 0}, "num_hidden_layers is 0"),
    "kv heads": ({**LLAMA, "num_key_value_heads": 3}, "must be a multiple of num_kv_heads (3)"),
    "head width": ({**LLAMA, "hidden_size": 66}, "must be a multiple of num_attention_heads (4)"),
    "odd head width": ({**LLAMA, "head_dim": 15}, "head_dim is 15"),
    "theta": ({**LLAMA, "rope_theta": 0}, "rope_theta is 0; it must be a positive number"),
    "eos": ({**LLAMA, "eos_token_id": "</s>"}, "eos_token_id is '</s>'"),
    "eos beyond": ({**LLAMA, "eos_token_id": 128}, "eos_ids holds 128"),
    "pad": ({**LLAMA, "pad_token_id": "x"}, "pad_token_id is 'x'"),
    "tie": ({**LLAMA, "tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes'"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_unsupported_configs_are_refused_by_name(name):
    fields, message = REFUSALS[name]
    with pytest.raises(ModelError) as caught:
        ModelConfig.from_hf(fields)
    assert message in str(caught.value)


def test_unknown_family_is_refused(make_config):
    with pytest.raises(ModelError, match="family is 'gpt2'"):
        make_config("gpt2")
