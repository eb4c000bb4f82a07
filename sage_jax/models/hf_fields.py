"""Which fields of a Hugging Face `config.json` are used, refused, or without effect here.

A field that changes what a model computes is either read or refused; none is passed over.
"""

import logging
import math
import re
from collections.abc import Mapping
from typing import Any

from sage_jax.models.errors import ModelError
from sage_jax.models.family import Family
from sage_jax.models.scalars import is_number
from sage_jax.telling import brief, printable

_log = logging.getLogger("sage_jax.models")

# Read by `ModelConfig.from_hf` and `read_rope`.
USED = frozenset({
    "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
    "num_attention_heads", "num_key_value_heads", "head_dim", "rms_norm_eps", "tie_word_embeddings",
    "max_position_embeddings", "eos_token_id", "pad_token_id", "bos_token_id", "rope_theta",
    "rope_scaling", "rope_parameters", "original_max_position_embeddings",
})  # fmt: skip

# What is not computed here, and the values with which it does nothing; null always does nothing.
_OFF, _ONE, _ZERO, _NONE = (False,), (1,), (0, False), ()
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "mlp_bias": _OFF, "attention_bias": _OFF, "attention_out_bias": _OFF, "use_bias": _OFF,
    "attention_dropout": _ZERO, "hidden_dropout": _ZERO, "hidden_dropout_prob": _ZERO,
    "attention_probs_dropout_prob": _ZERO, "resid_pdrop": _ZERO, "embd_pdrop": _ZERO,
    "attn_pdrop": _ZERO, "dropout": _ZERO, "residual_dropout": _ZERO, "embedding_dropout": _ZERO,
    "use_sliding_window": _OFF, "sliding_window": _NONE, "sliding_window_pattern": _ZERO,
    "attention_chunk_size": _ZERO,
    "use_mrope": _OFF, "partial_rotary_factor": _ONE, "rotary_pct": _ONE, "rope_ratio": _ONE,
    "rope_interleaved": _OFF, "rope_interleave": _OFF, "no_rope_layer_interval": _ZERO,
    "rope_local_base_freq": _NONE, "rotary_emb_base": _NONE,
    "embedding_multiplier": _ONE, "residual_multiplier": _ONE, "logits_scaling": _ONE,
    "logit_scale": _ONE, "logits_scale": _ONE, "lm_head_multiplier": _ONE, "scale_emb": _ONE,
    "scale_depth": _NONE, "dim_model_base": _NONE, "mup_enabled": _OFF,
    "attn_logit_softcapping": _ZERO, "final_logit_softcapping": _ZERO, "logits_soft_cap": _ZERO,
    "clip_qkv": _ZERO, "alibi": _OFF, "attention_sinks": _OFF, "parallel_attn": _OFF,
    "use_parallel_residual": _OFF, "num_kv_shared_layers": _ZERO, "attn_temperature_tuning": _ZERO,
    "num_experts": _ZERO, "num_local_experts": _ZERO, "n_routed_experts": _ZERO,
    "num_nextn_predict_layers": _ZERO, "is_causal": (True,), "use_causal_mask": (True,),
    "use_bidirectional_attention": _OFF, "bidirectional": _OFF, "is_encoder_decoder": _OFF,
    "add_cross_attention": _OFF, "cross_attention_hidden_size": _NONE,
    "position_embedding_type": ("absolute", "rope", "rotary"), "pruned_heads": ({},),
    "quantization_config": _NONE, "auto_map": ({},),
}  # fmt: skip

# Book-keeping, settings of generation and of training, and ways to the same result.
HARMLESS = frozenset({
    "architectures", "_name_or_path", "name_or_path", "transformers_version", "dtype",
    "torch_dtype", "use_cache", "initializer_range", "pretraining_tp", "max_window_layers",
    "attn_implementation", "_attn_implementation", "_attn_implementation_autoset", "_commit_hash",
    "_flash_attn_2_enabled", "chunk_size_feed_forward", "return_dict", "output_attentions",
    "output_hidden_states", "output_scores", "return_dict_in_generate", "torchscript",
    "use_bfloat16", "tf_legacy_loss", "is_decoder", "tie_encoder_decoder", "id2label", "label2id",
    "num_labels", "problem_type", "finetuning_task", "task_specific_params", "tokenizer_class",
    "prefix", "sep_token_id", "decoder_start_token_id", "unk_token_id", "model_max_length",
    "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
    "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty",
    "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids",
    "num_return_sequences", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
    "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens",
    "gradient_checkpointing", "unsloth_version", "unsloth_fixed", "is_llama_config",
    "transformers.js_config", "language", "license",
})  # fmt: skip

# Of the families' own; see `refuse_unsupported`.
OF_FAMILIES = frozenset({
    "hidden_act", "hidden_activation", "activation_function", "layer_types", "qkv_bias",
    "use_qkv_bias", "qk_norm", "use_qk_norm", "qk_layernorm", "no_rope_layers",
    "attention_multiplier", "query_pre_attn_scalar",
})  # fmt: skip

# Names under which models elsewhere keep what changes their arithmetic.
_SUSPECT = re.compile(
    r"scal(e|ing)|multiplier|soft_?cap|clamp|(^|_)clip|(^|_)rope|rotary|alibi|window|expert"
    r"|(^|_)moe|(^|_)mup|bias($|_)|(^|_)qk_|norm_type|parallel_(attn|block|residual|mlp)|causal"
    r"|attention_type|(^|_)sparse|compress|lora_rank|mamba|d_conv",
    re.IGNORECASE,
)


def refuse_unsupported(family: Family, hf: Mapping[str, Any]) -> None:
    """Refuse what a config says beyond this code; of what nobody knows, say that it is ignored.

    Args:
        family: What is read, and what does nothing, depends on it.
        hf: The parsed `config.json`.

    Raises:
        ModelError: A field changes the computation; the message names it and what is supported.
    """
    _refuse_with_advice(hf)
    neutral = NEUTRAL | _of_family(family, hf)
    for name, value in {**family.defaults, **hf}.items():
        free = name in family.multipliers or name in family.ignored
        if name in neutral and not free and not _is_any(value, neutral[name]):
            where = "" if name in hf else " where config.json leaves it out"
            raise ModelError(f"{name} is {brief(value)}{where}; {_supported(neutral[name])}")
    _refuse_other_layers(hf)
    _refuse_strangers(hf)


def _refuse_with_advice(hf: Mapping[str, Any]) -> None:
    if hf.get("quantization_config") is not None:
        raise ModelError("quantization_config is set; load the unquantised checkpoint instead")
    if hf.get("auto_map"):
        raise ModelError("auto_map is set: the model needs code of its own, which is never run")
    if hf.get("use_sliding_window"):
        raise ModelError("use_sliding_window is true; sliding-window attention is not supported")


def _of_family(family: Family, hf: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Fields whose neutral values depend on what the family computes."""
    own = {
        ("hidden_act", "hidden_activation", "activation_function"): family.activation_names,
        ("qkv_bias", "use_qkv_bias"): (family.attention_bias,),
        ("qk_norm", "use_qk_norm", "qk_layernorm"): (family.qk_norm is not None,),
    }
    fields = {name: neutral for names, neutral in own.items() for name in names}
    return fields | _of_heads(family, hf)


def _of_heads(family: Family, hf: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Scales of the attention's scores: the root of the width of a head is what is computed."""
    width, heads = hf.get("hidden_size"), hf.get("num_attention_heads")
    given = hf.get("head_dim") or family.defaults.get("head_dim")
    if given is None and isinstance(width, int) and isinstance(heads, int) and heads:
        given = width // heads
    if not isinstance(given, int) or not 0 < given < 2**31:
        return {}
    return {"query_pre_attn_scalar": (given,), "attention_multiplier": (given**-0.5,)}


def _is_any(value: Any, neutral: tuple[Any, ...]) -> bool:
    if value is None:
        return True
    return any(_equal(value, one) for one in neutral)


def _equal(value: Any, one: Any) -> bool:
    # In Python True is 1; in a config they say different things.
    if isinstance(value, bool) is not isinstance(one, bool):
        return False
    if is_number(value) and is_number(one) and abs(value) < 2**31:
        return math.isclose(value, one, rel_tol=1e-6)
    return value == one


def _supported(neutral: tuple[Any, ...]) -> str:
    if not neutral:
        return "it is not supported"
    if neutral == _OFF or neutral == (True,):
        return f"only {str(neutral[0]).lower()} is supported"
    if is_number(neutral[0]):
        return f"only {float(neutral[0])} is supported"
    return f"supported: {', '.join(map(repr, neutral))}"


def _refuse_other_layers(hf: Mapping[str, Any]) -> None:
    kinds = _list(hf, "layer_types")
    for kind in kinds:
        if kind != "full_attention":
            raise ModelError(f"layer_types holds {brief(kind)}; supported: 'full_attention'")
    # SmolLM3 writes 1 for a layer with rotary positions.
    if any(one != 1 for one in _list(hf, "no_rope_layers")):
        raise ModelError("no_rope_layers holds layers without rotary positions; all must have them")


def _list(hf: Mapping[str, Any], name: str) -> list[Any] | tuple[Any, ...]:
    value = hf.get(name) or []
    if not isinstance(value, (list, tuple)):
        raise ModelError(f"{name} is {brief(value)}; it must be a list")
    return value


def _refuse_strangers(hf: Mapping[str, Any]) -> None:
    """Fields that no list holds: by their names they may change the computation, or not."""
    known = USED | NEUTRAL.keys() | HARMLESS | OF_FAMILIES
    strange = {n: one for n, one in hf.items() if n not in known and _says_something(n, one)}
    for name, value in strange.items():
        if _SUSPECT.search(name):
            raise ModelError(
                f"{name} is {brief(value)}; it is not known here and may change what the model "
                "computes: leave it out of config.json if it does not"
            )
    if strange:
        names = ", ".join(sorted(printable(name)[:60] for name in strange)[:10])
        _log.warning("config.json: not known here, and ignored: %s", names)


def _says_something(name: str, value: Any) -> bool:
    if ("scal" in name or "multiplier" in name) and _equal(value, 1):
        return False
    return value is not None and value is not False and value not in (0, "", [], {}, ())
