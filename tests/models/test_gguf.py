"""GGUF files written here with the package's writer, the way llama.cpp lays them out."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from sage_jax.models import ModelError, load
from sage_jax.models.gguf_fields import (
    HARMLESS,
    NEUTRAL,
    TOKENIZER_HARMLESS,
    TOKENIZER_OFF,
    TOKENIZER_USED,
    USED,
    refuse_unsupported,
)
from sage_jax.models.gguf_file import unpermute
from sage_jax.models.gguf_tokenizer import PRE_TOKENIZERS, build_tokenizer

gguf = pytest.importorskip("gguf", reason="needs the package gguf (sage-jax[gguf])")

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def permute(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp's order: component i and i + H/2 of each head next to each other."""
    width = weight.shape[0] // heads
    order = [h * width + i + half for h in range(heads) for i in range(width // 2)
             for half in (0, width // 2)]  # fmt: skip
    return weight[order]


def gguf_name(name: str) -> str:
    owner, _, leaf = name.rpartition(".")
    if owner.startswith("model.layers."):
        _, _, layer, rest = owner.split(".", 3)
        return f"blk.{layer}.{NAMES[rest]}.{leaf}"
    return f"{NAMES[owner]}.{leaf}"


def write_gguf(path: Path, golden: Path, *, fields=None, tensors=None) -> Path:
    """A tiny golden model as GGUF; `fields` and `tensors` are added or, if None, left out."""
    c = load(golden).config
    writer = gguf.GGUFWriter(str(path), c.family)
    base = {
        "block_count": c.num_layers,
        "context_length": c.max_positions,
        "embedding_length": c.hidden_size,
        "feed_forward_length": c.intermediate_size,
        "attention.head_count": c.num_heads,
        "attention.head_count_kv": c.num_kv_heads,
        "attention.key_length": c.head_dim,
        "rope.freq_base": c.rope_theta,
        "attention.layer_norm_rms_epsilon": c.rms_norm_eps,
    }
    named = {f"{c.family}.{name}": value for name, value in base.items()}
    named |= {"tokenizer.ggml.eos_token_id": 1, "tokenizer.ggml.padding_token_id": 0}
    for name, value in {**named, **(fields or {})}.items():
        add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        if value is not None:
            add[type(value)](name, value)
    stored = {}
    for name, value in load_file(golden / "model.safetensors").items():
        heads = {"q_proj.weight": c.num_heads, "k_proj.weight": c.num_kv_heads}
        n = heads.get(".".join(name.split(".")[-2:]))
        stored[gguf_name(name)] = permute(value, n) if n and c.family == "llama" else value
    for name, value in {**stored, **(tensors or {})}.items():
        if value is not None:
            writer.add_tensor(name, np.ascontiguousarray(value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("name", ["tiny_llama", "tiny_qwen2", "tiny_qwen2_tied", "tiny_qwen3"])
def test_gguf_equals_the_safetensors_it_came_from(golden_dir, tmp_path, name):
    want = load(golden_dir / name)
    got = load(write_gguf(tmp_path / "m.gguf", golden_dir / name))
    assert got.config == want.config
    assert got.tokenizer is None
    jax.tree.map(np.testing.assert_array_equal, got.params, want.params)


def test_llama3_frequency_factors(golden_dir, tmp_path):
    plain = load(golden_dir / "tiny_llama").config
    factors = np.ones(plain.head_dim // 2)
    for i in range(factors.size):
        wavelength = 2 * np.pi * plain.rope_theta ** (2 * i / plain.head_dim)
        smooth = np.clip((8192 / wavelength - 1) / 3, 0, 1)
        factors[i] = 1 / ((1 - smooth) / 8 + smooth)
    tensors = {"rope_freqs.weight": factors.astype(np.float32)}
    path = write_gguf(tmp_path / "m.gguf", golden_dir / "tiny_llama", tensors=tensors)
    scaling = load(path).config.rope_scaling
    assert scaling is not None
    assert (scaling.factor, scaling.original_max_positions) == (8.0, 8192)


def test_fields_that_change_nothing_are_read(golden_dir, tmp_path):
    fields = {
        "llama.rope.scaling.type": "none",
        "llama.rope.scaling.factor": 1.0,
        "llama.vocab_size": 7,
        "llama.expert_count": 0,
        "llama.logit_scale": 1.0,
        "general.type": "model",
        "general.file_type": 0,
    }
    path = write_gguf(tmp_path / "m.gguf", golden_dir / "tiny_llama", fields=fields)
    assert load(path).config == load(golden_dir / "tiny_llama").config


def header_fields(keys) -> set[str]:
    """All names of a class of `gguf.Keys` and of the classes in it."""
    names = set()
    for name, value in vars(keys).items():
        if isinstance(value, str) and not name.startswith("_"):
            names.add(value)
        elif isinstance(value, type):
            names |= header_fields(value)
    return names


def test_every_field_that_the_package_knows_is_used_refused_or_harmless():
    for name in header_fields(gguf.Keys.Tokenizer):
        rest = name.removeprefix("tokenizer.")
        lists = (TOKENIZER_USED, TOKENIZER_OFF, TOKENIZER_HARMLESS)
        assert "{" in name or sum(rest in one for one in lists) == 1, name
    rooms = (gguf.Keys.LLM, gguf.Keys.Attention, gguf.Keys.Rope)
    for name in set.union(*map(header_fields, rooms)):
        rest = name.removeprefix("{arch}.")
        lists = (USED, NEUTRAL, HARMLESS)
        assert sum(rest in one for one in lists) <= 1, name
        if not any(rest in one for one in lists):
            with pytest.raises(ModelError, match=f"llama.{rest} is 3"):
                refuse_unsupported("llama", {f"llama.{rest}": 3})


def test_unpermute_undoes_permute():
    weight = np.arange(48.0).reshape(16, 3)
    np.testing.assert_array_equal(unpermute(permute(weight, 2), 2), weight)


ODD = np.linspace(1, 2, 8, dtype=np.float32)
REFUSALS = {
    "architecture": ({"general.architecture": "gemma"}, None, "general.architecture is 'gemma'"),
    "rope scaling": ({"llama.rope.scaling.type": "yarn"}, None, "rope.scaling.type is 'yarn'"),
    "factor without a type": ({"llama.rope.scaling.factor": 4.0}, None, "scaling.factor is 4.0"),
    "old linear factor": ({"llama.rope.scale_linear": 2.0}, None, "rope.scale_linear is 2.0"),
    "linear": ({"llama.rope.scaling.type": "linear"}, None, "rope.scaling.type is 'linear'"),
    "attention factor": ({"llama.rope.scaling.attn_factor": 1.2}, None, "attn_factor is 1.2"),
    "logits scaled": ({"llama.logit_scale": 0.25}, None, "llama.logit_scale is 0.25"),
    "attention scaled": ({"llama.attention.scale": 0.1}, None, "llama.attention.scale is 0.1"),
    "capped": ({"llama.final_logit_softcapping": 30.0}, None, "final_logit_softcapping is 30.0"),
    "a field of tomorrow": ({"llama.attention.twist": 3}, None, "llama.attention.twist is 3"),
    "an adapter": ({"general.type": "adapter"}, None, "general.type is 'adapter'"),
    "space before text": ({"tokenizer.ggml.add_space_prefix": 1}, None, "add_space_prefix is 1"),
    "too few rope factors": (None, {"rope_freqs.weight": ODD[:4]}, "has 4 factors; a head of"),
    "window": ({"llama.attention.sliding_window": 64}, None, "sliding_window is 64"),
    "experts": ({"llama.expert_count": 8}, None, "llama.expert_count is 8"),
    "parts": ({"split.count": 2}, None, "split.count is 2"),
    "missing field": ({"llama.block_count": None}, None, "llama.block_count is missing"),
    "partial rotation": ({"llama.rope.dimension_count": 8}, None, "dimension_count is 8"),
    "value width": ({"llama.attention.value_length": 8}, None, "value_length is 8"),
    "rope factors": (None, {"rope_freqs.weight": ODD}, "its factors are not those of Llama 3"),
    "no embedding": (None, {"token_embd.weight": None}, "token_embd.weight: missing"),
    "extra tensor": (None, {"blk.0.odd.weight": ODD}, "blk.0.odd.weight: not part of the model"),
    "missing tensor": (
        None,
        {"blk.1.ffn_up.weight": None},
        "model.layers.1.mlp.up_proj.weight: missing",
    ),
    "vocabulary": ({"tokenizer.ggml.model": "llama"}, None, "tokenizer.ggml.model is 'llama'"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_unsupported_files_are_refused_by_name(golden_dir, tmp_path, name):
    fields, tensors, message = REFUSALS[name]
    options = {"fields": fields, "tensors": tensors}
    path = write_gguf(tmp_path / "m.gguf", golden_dir / "tiny_llama", **options)
    with pytest.raises(ModelError) as caught:
        load(path)
    assert message in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"not a gguf file, whatever its name")
    with pytest.raises(ModelError, match="is not a sound GGUF file"):
        load(tmp_path / "m.gguf")


def test_without_the_package_the_message_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "m.gguf").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ModelError, match=r"pip install sage-jax\[gguf\]"):
        load(tmp_path / "m.gguf")


def vocabulary(pre: str) -> dict:
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<end>", *letters, "12", "123", "ab", "Ġa", "<tool>"]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, *[1] * (len(tokens) - 2), 4],
        "tokenizer.ggml.merges": ["1 2", "12 3", "a b", "Ġ a"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 0,
    }


@pytest.mark.parametrize(
    ("pre", "digits"),
    [("smollm", ["1", "2", "3"]), ("qwen2", ["1", "2", "3"]), ("llama-bpe", ["123"])],
)
def test_pre_tokenizers_differ_in_digits(pre, digits):
    tokenizer = build_tokenizer(vocabulary(pre))
    assert tokenizer is not None
    assert tokenizer.tokenize("123") == digits
    assert tokenizer.tokenize(" ab<end>ab<tool>") == ["Ġ", "ab", "<end>", "ab", "<tool>"]
    text = "é 日本\n\t 12.5%"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode("ab<end>"), skip_special_tokens=True) == "ab"
    assert pre in PRE_TOKENIZERS


def test_bos_is_added_where_the_file_says_so():
    plain = build_tokenizer(vocabulary("llama-bpe"))
    with_bos = build_tokenizer({**vocabulary("llama-bpe"), "tokenizer.ggml.add_bos_token": True})
    assert plain is not None
    assert with_bos is not None
    assert with_bos.encode("ab") == [0, *plain.encode("ab")]
    assert with_bos.encode("ab", add_special_tokens=False) == plain.encode("ab")


def test_unknown_pre_tokenizer_is_refused():
    with pytest.raises(ModelError, match=r"tokenizer\.ggml\.pre is 'tekken'; supported: smollm"):
        build_tokenizer(vocabulary("tekken"))


def test_nan_is_refused_by_tensor(golden_dir, tmp_path):
    weight = load_file(golden_dir / "tiny_llama" / "model.safetensors")["model.norm.weight"].copy()
    weight[2] = np.nan
    tensors = {"output_norm.weight": weight}
    path = write_gguf(tmp_path / "m.gguf", golden_dir / "tiny_llama", tensors=tensors)
    with pytest.raises(ModelError, match=r"tensor model\.norm\.weight holds NaN or infinity"):
        load(path)
