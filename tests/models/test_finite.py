"""NaN and infinity in the weights of a checkpoint, in every dtype and both formats."""

import doctest
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from sage_jax.models import ModelError, finite, load, save_hf
from sage_jax.models.finite import count_bad

DTYPES = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16]
UP = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture
def folder(golden_dir, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((golden_dir / "tiny_qwen2" / name).read_bytes())
    return tmp_path


def spoil(folder, name, value, *, dtype: Any = np.float32, place=(3, 5)):
    tensors = load_file(folder / "model.safetensors")
    changed = tensors[name].astype(dtype)
    changed[place[: changed.ndim]] = value
    save_file({**tensors, name: changed}, folder / "model.safetensors")


@pytest.mark.parametrize("dtype", DTYPES)
def test_counting(dtype):
    top = ml_dtypes.finfo(dtype)
    values = np.full((7, 5), top.max, dtype)
    values[0] = [top.min, top.smallest_subnormal, 0, -0.0, 1]
    assert count_bad(values) == count_bad(values.T) == 0
    values[2, 3], values[6, 4], values[0, 0] = np.nan, np.inf, -np.inf
    assert count_bad(values) == count_bad(values.T) == count_bad(values[:, ::2]) + 1 == 3


def test_examples_in_docstrings():
    result = doctest.testmod(finite)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_last_of_many():
    values = np.zeros(2**18 + 1, np.float32)
    values[-1] = np.nan
    assert count_bad(values) == 1
    assert count_bad(values[:-1]) == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_bad_value_is_refused_by_tensor(folder, dtype, value):
    spoil(folder, UP, value, dtype=dtype)
    with pytest.raises(ModelError, match=rf"tensor {UP} holds NaN or infinity: 1 of 10240 values"):
        load(folder)


@pytest.mark.parametrize(
    "name",
    ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight",
     "model.layers.2.self_attn.q_proj.bias", "model.layers.0.input_layernorm.weight"],
)  # fmt: skip
def test_every_kind_of_tensor_is_looked_at(folder, name):
    spoil(folder, name, np.nan)
    with pytest.raises(ModelError, match=f"tensor {name} holds NaN"):
        load(folder, place=lambda axes, x: jnp.asarray(x))


def test_what_the_dtype_of_the_run_cannot_hold(folder):
    spoil(folder, UP, np.finfo(np.float32).max)
    load(folder)
    with pytest.raises(ModelError, match=f"tensor {UP} as bfloat16 holds"):
        load(folder, param_dtype=jnp.bfloat16)
    spoil(folder, UP, 1e300, dtype=np.float64)
    with pytest.raises(ModelError, match=f"tensor {UP} as float32 holds NaN or infinity"):
        load(folder)


def test_shards(make_model, tmp_path):
    config, _, params = make_model("qwen2")
    spoiled = params["norm"]["scale"]
    params["norm"]["scale"] = spoiled.replace(spoiled[...].at[3].set(jnp.inf))
    save_hf(tmp_path / "m", config, params, max_shard_bytes=20_000)
    params["norm"]["scale"] = spoiled
    with pytest.raises(ModelError, match=r"tensor model\.norm\.weight holds NaN or infinity: 1 of"):
        load(tmp_path / "m")


def test_a_tied_head_of_nan_is_told_as_nan(golden_dir, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((golden_dir / "tiny_llama" / name).read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.embed_tokens.weight"][0, 0] = np.nan
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"tensor lm_head\.weight holds NaN"):
        load(tmp_path)
