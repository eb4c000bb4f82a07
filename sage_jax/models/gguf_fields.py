"""Which fields of a GGUF header are used, refused, or without effect here.

Fields of the architecture are refused unless they are in a list: what a writer of GGUF files puts
there is meant to change the computation.
"""

from collections.abc import Mapping
from typing import Any

from sage_jax.models.errors import ModelError
from sage_jax.telling import brief

# Behind the name of the architecture; read by `gguf_config`.
USED = frozenset({
    "context_length", "embedding_length", "feed_forward_length", "block_count",
    "attention.head_count", "attention.head_count_kv", "attention.key_length",
    "attention.value_length", "attention.layer_norm_rms_epsilon", "rope.dimension_count",
    "rope.freq_base", "rope.scaling.original_context_length",
})  # fmt: skip

# The values with which these do nothing. What is in no list does nothing where it is 0 or false.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "rope.scaling.type": ("none",), "rope.scaling.factor": (0, 1), "rope.scale_linear": (0, 1),
    "rope.scaling.attn_factor": (1,), "attention.causal": (True,), "logit_scale": (0, 1),
    "residual_scale": (0, 1), "embedding_scale": (0, 1), "attention.scale": (0,),
}  # fmt: skip

HARMLESS = frozenset({
    "vocab_size",  # The embedding's rows say it.
    "attention.layer_norm_epsilon",  # Of a kind of norm that these families do not have.
    "tensor_data_layout", "rope.scaling.finetuned", "pooling_type",
})  # fmt: skip

# Behind `tokenizer.`: read by `build_tokenizer` and `gguf_config`.
TOKENIZER_USED = frozenset({
    "ggml.model", "ggml.pre", "ggml.tokens", "ggml.token_type", "ggml.merges", "ggml.bos_token_id",
    "ggml.eos_token_id", "ggml.eot_token_id", "ggml.eom_token_id", "ggml.unknown_token_id",
    "ggml.padding_token_id", "ggml.add_bos_token", "chat_template",
})  # fmt: skip
# Change how text is cut, and are refused unless they are off.
TOKENIZER_OFF = frozenset({
    "ggml.add_space_prefix", "ggml.remove_extra_whitespaces", "ggml.precompiled_charsmap",
    "ggml.add_sep_token",
})  # fmt: skip
# Tokens for other uses; scores, which byte-level BPE does not have; a token that ends any text,
# which prompts never get; a copy for other programs.
TOKENIZER_HARMLESS = frozenset({
    "ggml.token_type_count", "ggml.scores", "ggml.seperator_token_id", "ggml.mask_token_id",
    "ggml.add_eos_token", "huggingface.json", "rwkv.world", "chat_templates",
    "ggml.fim_pre_token_id", "ggml.fim_suf_token_id", "ggml.fim_mid_token_id",
    "ggml.fim_pad_token_id", "ggml.fim_rep_token_id", "ggml.fim_sep_token_id",
    "ggml.prefix_token_id", "ggml.suffix_token_id", "ggml.middle_token_id",
})  # fmt: skip


def refuse_unsupported(family: str, fields: Mapping[str, Any]) -> None:
    """Refuse what a GGUF header says beyond this code.

    Args:
        family: The architecture, which the names of its fields begin with.
        fields: The metadata.

    Raises:
        ModelError: A field changes the computation or the ids; the message names it.
    """
    if fields.get("general.type", "model") != "model":
        raise ModelError(f"general.type is {brief(fields['general.type'])}; supported: 'model'")
    if fields.get("split.count") not in (None, 0, 1):
        raise ModelError(f"split.count is {brief(fields['split.count'])}; merge the parts first")
    for name, value in fields.items():
        owner, _, rest = name.partition(".")
        if owner == family and rest not in USED | HARMLESS:
            _refuse(name, value, NEUTRAL.get(rest, (0, False)))
        if owner == "tokenizer" and rest in TOKENIZER_OFF:
            _refuse(name, value, (False, 0))


def _refuse(name: str, value: Any, neutral: tuple[Any, ...]) -> None:
    for one in neutral:
        if isinstance(value, bool) is isinstance(one, bool) and value == one:
            return
    if isinstance(value, (list, str)) and not value:
        return
    supported = f"supported: {neutral[0]!r}" if isinstance(neutral[0], str) else "not supported"
    raise ModelError(f"{name} is {brief(value)}; {supported}")
