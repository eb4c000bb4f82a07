"""Reading GGUF files: config from their metadata, weights dequantised one at a time."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sage_jax.models.config import Llama3Scaling, ModelConfig, token_ids
from sage_jax.models.errors import ModelError
from sage_jax.models.family import family_names, find
from sage_jax.models.gguf_fields import refuse_unsupported
from sage_jax.models.gguf_tokenizer import build_tokenizer
from sage_jax.models.rope import frequencies
from sage_jax.models.tensors import TensorRef
from sage_jax.telling import brief, line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_ROPE_FACTORS = "rope_freqs.weight"
_GLOBAL = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_BLOCK = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def read_gguf(
    path: Path,
) -> tuple[ModelConfig, dict[str, TensorRef], PreTrainedTokenizerFast | None]:
    """Config, tensors by Hugging Face name (unread), and tokenizer of a GGUF file.

    Raises:
        ModelError: The package `gguf` is not installed, the file is damaged, or it holds something
            unsupported; the message names it.
    """
    gguf = _import_gguf()
    try:
        reader = _reader(gguf)(path)
        fields = {name: field.contents() for name, field in reader.fields.items()}
    except (ValueError, LookupError, ArithmeticError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} is not a sound GGUF file: {line(error)}") from error
    found = {tensor.name: tensor for tensor in reader.tensors}
    config = gguf_config(fields, found)
    found.pop(_ROPE_FACTORS, None)
    tensors = {hf_name(name): _ref(gguf, config, name, tensor) for name, tensor in found.items()}
    return config, tensors, build_tokenizer(fields)


def header(path: Path, name: str) -> Any:
    """One field of a GGUF file's metadata, None where it has none of that name.

    Raises:
        ModelError: The package `gguf` is not installed.
        ValueError: The file is damaged.
    """
    field = _reader(_import_gguf())(path).fields.get(name)
    return None if field is None else field.contents()


@functools.cache
def _reader(gguf: Any) -> Any:
    """The package's reader, which takes what lies beyond the end of a file for empty.

    A damaged length would have it read nothing, trillions of times.
    """

    class Reader(gguf.GGUFReader):
        def _get(self, offset: int, dtype: Any, count: Any = 1, override_order: Any = None) -> Any:
            if offset + np.dtype(dtype).itemsize * int(count) > len(self.data):
                raise ValueError(f"it ends within the {int(count)} values at byte {int(offset)}")
            return super()._get(offset, dtype, count, override_order)

    return Reader


def gguf_config(fields: Mapping[str, Any], tensors: Mapping[str, Any]) -> ModelConfig:
    """The config that a GGUF file's metadata describe.

    Raises:
        ModelError: A field is missing or describes something unsupported.
    """
    family = fields.get("general.architecture")
    there = [name for name in family_names() if find(name).gguf_rows is not None]
    if family not in there:
        raise ModelError(f"general.architecture is {brief(family)}; supported: {', '.join(there)}")
    get = functools.partial(_field, fields, family)
    refuse_unsupported(family, fields)
    heads, width = get("attention.head_count"), get("embedding_length")
    head_dim = get("attention.key_length", width // heads)
    plain = ModelConfig(
        family=family,
        vocab_size=_rows(tensors, "token_embd.weight"),
        hidden_size=width,
        intermediate_size=get("feed_forward_length"),
        num_layers=get("block_count"),
        num_heads=heads,
        num_kv_heads=get("attention.head_count_kv", heads),
        head_dim=head_dim,
        rope_theta=_tidy(get("rope.freq_base", 10000.0)),
        rms_norm_eps=_tidy(get("attention.layer_norm_rms_epsilon")),
        tie_embeddings="output.weight" not in tensors,
        max_positions=get("context_length"),
        eos_ids=_eos_ids(fields),
        pad_id=fields.get("tokenizer.ggml.padding_token_id"),
        bos_id=fields.get("tokenizer.ggml.bos_token_id"),
    )
    for name in ("attention.value_length", "rope.dimension_count"):
        if get(name, head_dim) != head_dim:
            raise ModelError(f"{family}.{name} is {get(name)}; it must equal {head_dim}")
    return _with_rope_factors(plain, fields, tensors)


def hf_name(name: str) -> str:
    """The Hugging Face name of a GGUF tensor; an unknown one is returned as it is.

    >>> hf_name("blk.3.ffn_up.weight")
    'model.layers.3.mlp.up_proj.weight'
    """
    owner, _, leaf = name.rpartition(".")
    if owner in _GLOBAL:
        return f"{_GLOBAL[owner]}.{leaf}"
    parts = owner.split(".")
    if len(parts) == 3 and parts[0] == "blk" and parts[2] in _BLOCK:
        return f"model.layers.{parts[1]}.{_BLOCK[parts[2]]}.{leaf}"
    return name


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undoes the interleaved order in which some GGUF files keep queries' and keys' projections.

    There the two halves of each head, which rotate together, are interleaved; here and at Hugging
    Face they lie one after the other.

    Args:
        weight: [heads * H, in].
        heads: Number of heads.
    """
    rows = weight.reshape(heads, weight.shape[0] // heads // 2, 2, -1)
    return rows.swapaxes(1, 2).reshape(weight.shape)


def _import_gguf() -> Any:
    try:
        return importlib.import_module("gguf")
    except ImportError as error:
        raise ModelError(
            "reading GGUF files needs the package gguf; install it with: pip install sage-jax[gguf]"
        ) from error


def _ref(gguf: Any, config: ModelConfig, name: str, tensor: Any) -> TensorRef:
    shape = tuple(int(n) for n in reversed(tensor.shape))
    post = _unpermuter(config, name)

    def read() -> np.ndarray:
        try:
            return post(gguf.dequantize(tensor.data, tensor.tensor_type).reshape(shape))
        except NotImplementedError as error:
            kind = tensor.tensor_type.name
            raise ModelError(f"tensor {name} has type {kind}, which is not supported") from error

    return TensorRef(shape=shape, read=read)


def _unpermuter(config: ModelConfig, name: str) -> Callable[[np.ndarray], np.ndarray]:
    heads = {
        "attn_q.weight": config.num_heads,
        "attn_k.weight": config.num_kv_heads,
    }.get(".".join(name.split(".")[2:]))
    if config.traits.gguf_rows != "interleaved" or heads is None:
        return lambda weight: weight
    return lambda weight: unpermute(weight, heads)


def _field(fields: Mapping[str, Any], family: str, name: str, default: Any = None) -> Any:
    value = fields.get(f"{family}.{name}", default)
    if value is None:
        raise ModelError(f"{family}.{name} is missing from the GGUF metadata")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise ModelError(f"{family}.{name} is {brief(value)}; it must be a positive number")
    return value


def _rows(tensors: Mapping[str, Any], name: str) -> int:
    if name not in tensors:
        raise ModelError(f"tensor {name}: missing from the GGUF file")
    return int(tensors[name].shape[-1])


def _tidy(value: float) -> float:
    """A float32 as the shortest decimal that names it: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))


def _eos_ids(fields: Mapping[str, Any]) -> tuple[int, ...]:
    names = (f"tokenizer.ggml.{kind}_token_id" for kind in ("eos", "eot", "eom"))
    found = [token_ids(fields[name]) for name in names if name in fields]
    return tuple(dict.fromkeys(itertools.chain(*found)))


def _with_rope_factors(
    plain: ModelConfig, fields: Mapping[str, Any], tensors: Mapping[str, Any]
) -> ModelConfig:
    """Finds the published stretch that GGUF's tensor of frequency divisors stems from."""
    if _ROPE_FACTORS not in tensors:
        return plain
    factors = np.asarray(tensors[_ROPE_FACTORS].data, np.float64).reshape(-1)
    if factors.shape != (plain.head_dim // 2,):
        raise ModelError(
            f"tensor {_ROPE_FACTORS} has {factors.size} factors; a head of width {plain.head_dim} "
            f"needs {plain.head_dim // 2}"
        )
    length = fields.get(f"{plain.family}.rope.scaling.original_context_length") or 8192
    scaling = Llama3Scaling(
        factor=float(factors.max()),
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_positions=int(length),
    )
    config = dataclasses.replace(plain, rope_scaling=scaling)
    if not np.allclose(frequencies(plain) / frequencies(config), factors, rtol=1e-4):
        raise ModelError(f"tensor {_ROPE_FACTORS}: its factors are not those of Llama 3.1 to 3.3")
    return config
