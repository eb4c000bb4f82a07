"""Adapters in PEFT's format: its names, its layout, and what of it is refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from sage_jax.models import ModelError, abstract, lora, read_adapter, write_adapter

FILE = "adapter_model.safetensors"
Q = "base_model.model.model.layers.{}.self_attn.q_proj.{}.weight"


def filled(shapes, *, seed):
    """Random arrays of these shapes."""
    draw = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.asarray(draw.normal(size=x.shape), x.dtype), shapes)


@pytest.fixture
def made(make_config):
    """A function of a family to (config, shapes of params, random adapters of rank 4)."""

    def make(family="qwen2", targets="all-linear"):
        graphdef, params = abstract(make_config(family))

        def fresh(key):
            return lora.attach(graphdef, params, key, rank=4, alpha=8, targets=targets)[1]

        shapes = jax.eval_shape(fresh, jax.random.key(3))
        return make_config(family), params, filled(shapes, seed=0)

    return make


@pytest.fixture
def written(made, tmp_path):
    config, params, adapters = made()
    write_adapter(tmp_path, config, adapters, alpha=8, base="org/base")
    return tmp_path, config, params, adapters


@pytest.mark.parametrize("family", ["olmo2", "gemma"])
@pytest.mark.parametrize("targets", ["all-linear", ("v_proj", "down_proj")], ids=str)
def test_what_is_written_is_read_back(made, tmp_path, family, targets):
    config, params, adapters = made(family, targets)
    write_adapter(tmp_path, config, adapters, alpha=8, base="org/base")
    rank, alpha, found, read = read_adapter(tmp_path, config, params)
    assert (rank, alpha, found) == (4, 8.0, lora.resolve_targets(targets))
    assert jax.tree.structure(read) == jax.tree.structure(adapters)
    jax.tree.map(np.testing.assert_array_equal, read, adapters)


def test_names_layout_and_scale_are_those_of_peft(written):
    folder, _, shapes, adapters = written
    params = filled(shapes, seed=1)
    fields = json.loads((folder / "adapter_config.json").read_text())
    assert fields["base_model_name_or_path"] == "org/base"
    assert fields["target_modules"] == sorted(lora.TARGETS)
    assert (fields["peft_type"], fields["task_type"]) == ("LORA", "CAUSAL_LM")
    tensors = load_file(folder / FILE)
    assert len(tensors) == 3 * 2 * len(lora.TARGETS)
    # Transformers' linear maps are W [out, in], and PEFT adds lora_alpha / r B A to them.
    a, b = (tensors[Q.format(1, factor)] for factor in ("lora_A", "lora_B"))
    folded = nnx.to_pure_dict(lora.fold(params, adapters, alpha=8))
    pair = (x["layers"]["self_attn"]["q_proj"]["kernel"][1].T
            for x in (folded, nnx.to_pure_dict(params)))  # fmt: skip
    got, base = map(np.asarray, pair)
    np.testing.assert_allclose(got, base + fields["lora_alpha"] / fields["r"] * b @ a, atol=1e-5)


def test_factors_are_rounded_where_asked(written, tmp_path):
    _, config, params, adapters = written
    (tmp_path / "narrow").mkdir()
    write_adapter(tmp_path / "narrow", config, adapters, alpha=8, base="", dtype="bfloat16")
    read = read_adapter(tmp_path / "narrow", config, params).adapters
    want = jax.tree.map(lambda x: x.astype(jnp.bfloat16).astype(x.dtype), adapters)
    jax.tree.map(np.testing.assert_array_equal, read, want)


FIELDS = [
    ({"peft_type": "LOHA"}, "peft_type is 'LOHA'; only 'LORA' is read"),
    ({"use_dora": True}, "use_dora is True in adapter_config.json; it is not supported"),
    ({"bias": "all"}, "bias is 'all'"),
    ({"rank_pattern": {"q_proj": 8}}, "rank_pattern is {'q_proj': 8}"),
    ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa'; it may change the base"),
    ({"r": 0}, "r is 0 in adapter_config.json; it must be a positive integer"),
    ({"lora_alpha": "8"}, "lora_alpha is '8' in adapter_config.json; it must be a number"),
    ({"lora_alpha": 0}, "lora_alpha is 0 in adapter_config.json; it must be positive"),
    ({"r": 2}, r"has shape \(4, 32\); rank and base say \(2, 32\)"),
]


@pytest.mark.parametrize(("changes", "message"), FIELDS, ids=lambda x: str(x)[:30])
def test_other_arithmetic_is_refused_by_field(written, changes, message):
    folder, config, params, _ = written
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match=message):
        read_adapter(folder, config, params)


def drop(tensors):
    del tensors[Q.format(2, "lora_B")]


def odd(tensors):
    tensors["base_model.model.lm_head.lora_A.weight"] = np.ones((4, 32), np.float32)


def spoil(tensors):
    tensors[Q.format(0, "lora_A")][1, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, "layers.2.self_attn.q_proj.lora_B.weight.*: missing"),
        (odd, "lm_head.lora_A.weight.*: not an adapter of this model"),
        (spoil, "layers.0.self_attn.q_proj.lora_A.weight holds NaN or infinity"),
        (dict.clear, "adapter_model.safetensors.*: not an adapter of this model"),
    ],
    ids=["missing", "unexpected", "NaN", "empty"],
)
def test_tensors_that_do_not_fit_are_refused_by_name(written, change, message):
    folder, config, params, _ = written
    tensors = load_file(folder / FILE)
    change(tensors)
    save_file(tensors, folder / FILE)
    with pytest.raises(ModelError, match=message):
        read_adapter(folder, config, params)
