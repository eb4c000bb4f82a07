"""Rotary fields in every spelling: the same meaning, or refused."""

import json

import pytest
import transformers
from transformers import AutoConfig

from sage_jax.models import Llama3Scaling, ModelConfig, ModelError

SIZES = {
    "model_type": "qwen3", "vocab_size": 128, "hidden_size": 64, "intermediate_size": 160,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
BASE = {"rope_theta": 5e5}
LAYERS = {"layer_types": ["full_attention"] * 2}


def rope(**fields):
    config = ModelConfig.from_hf({**SIZES, **fields})
    return config.rope_theta, config.rope_scaling


def nested(**kinds):
    return {"rope_parameters": kinds, **LAYERS}


SAME = {
    "flat": {"rope_parameters": BASE | {"rope_type": "default"}},
    "old": BASE,
    "old with a null": BASE | {"rope_scaling": None},
    "nested": nested(full_attention=BASE | {"rope_type": "default"}),
    "nested without types of layers": {"rope_parameters": {"full_attention": BASE}},
    "base beside the kinds": nested(full_attention={"rope_type": "default"}, **BASE),
    "base beside rope_parameters": {**BASE, **nested(full_attention={"rope_type": "default"})},
    "a kind that no layer is of": nested(
        full_attention=BASE, sliding_attention={"rope_theta": 1e4, "rope_type": "default"}
    ),
    "nested in rope_scaling": {"rope_scaling": {"full_attention": BASE}},
    "said twice": {**BASE, "rope_parameters": BASE},
    "a factor of one": {"rope_parameters": BASE | {"factor": 1.0}},
    "all of the width": {"rope_parameters": BASE | {"partial_rotary_factor": 1.0}},
}


@pytest.mark.parametrize("name", SAME)
def test_spellings_of_one_base(name):
    assert rope(**SAME[name]) == (5e5, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"rope_parameters": BASE | LLAMA3},
        {**BASE, "rope_scaling": LLAMA3},
        nested(full_attention=BASE | LLAMA3),
        {**BASE, "rope_scaling": {k: v for k, v in LLAMA3.items() if k[0] != "o"},
         "original_max_position_embeddings": 64},
    ],
    ids=["flat", "old", "nested", "original length outside"],
)  # fmt: skip
def test_spellings_of_one_stretch(fields):
    assert rope(**fields) == (5e5, Llama3Scaling(8.0, 1.0, 4.0, 64))


@pytest.mark.skipif(
    int(transformers.__version__.split(".")[0]) < 5, reason="nesting came with Transformers 5"
)
def test_what_transformers_makes_of_a_nested_config_means_the_same(tmp_path):
    fields = {**SIZES, **nested(full_attention=BASE | {"rope_type": "default"})}
    (tmp_path / "config.json").write_text(json.dumps(fields))
    theirs = AutoConfig.from_pretrained(tmp_path).to_dict()
    assert ModelConfig.from_hf(theirs).rope_theta == 5e5


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
REFUSED = {
    "nested yarn": (nested(full_attention=BASE | YARN), "rope_type is 'yarn'"),
    "yarn beside the kinds": (nested(full_attention=BASE, **YARN), "rope_type is 'yarn'"),
    "old nested yarn": ({"rope_scaling": {"full_attention": YARN}}, "rope_type is 'yarn'"),
    "factor without a type": ({"rope_scaling": {"factor": 4.0}}, "factor is 4.0, but rope_type is"),
    "nested factor without a type": (
        nested(full_attention=BASE | {"factor": 2.0}),
        "factor is 2.0, but rope_type is None",
    ),
    "factor of the default": (
        {"rope_parameters": BASE | {"rope_type": "default", "factor": 4.0}},
        "but rope_type is 'default'",
    ),
    "two types": ({"rope_scaling": {**LLAMA3, "type": "linear"}}, "beside type 'linear'"),
    "only another kind": (nested(sliding_attention=BASE), "layers of kind 'sliding_attention'"),
    "no rotation": (nested(full_attention=None), "full_attention is None; it must be an object"),
    "two bases": ({"rope_theta": 1e4, "rope_parameters": BASE}, "rope_theta is 500000.0, but"),
    "two bases, nested": (nested(full_attention=BASE, rope_theta=1e4), "they must be equal"),
    "part of the width": (
        nested(full_attention=BASE | {"partial_rotary_factor": 0.5}),
        "partial_rotary_factor is 0.5",
    ),
    "sections": ({"rope_scaling": {"mrope_section": [8, 12, 12]}}, "mrope_section is [8, 12, 12]"),
    "attention factor": ({"rope_parameters": BASE | {"attention_factor": 1.4}}, "is 1.4"),
    "unknown": ({"rope_parameters": BASE | {"twist": 3}}, "rope_parameters.twist is 3"),
    "base is no number": (nested(full_attention={"rope_theta": "1e6"}), "rope_theta is '1e6'"),
    "a list": ({"rope_parameters": [BASE]}, "it must be an object or null"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_computed_is_refused(name):
    fields, message = REFUSED[name]
    with pytest.raises(ModelError) as caught:
        rope(**fields)
    assert message in str(caught.value)
