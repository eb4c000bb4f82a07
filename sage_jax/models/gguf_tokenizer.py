"""The tokenizer of a GGUF file, built from its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sage_jax.models.errors import ModelError
from sage_jax.telling import brief, line

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

# Kinds of token in `tokenizer.ggml.token_type`.
_CONTROL, _USER_DEFINED = 3, 4

# How each kind of vocabulary was cut into words before its merges were learnt; digits differ.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PRE_TOKENIZERS = ("smollm", "llama-bpe", "qwen2")


def build_tokenizer(fields: Mapping[str, Any]) -> PreTrainedTokenizerFast | None:
    """A `transformers` tokenizer with special tokens and chat template.

    Args:
        fields: The metadata of a GGUF file; without `tokenizer.ggml.model` there is no tokenizer.

    Raises:
        ModelError: The kind of vocabulary or of pre-tokenizer is not supported.
    """
    kind = fields.get("tokenizer.ggml.model")
    if kind is None:
        return None
    if kind != "gpt2":
        raise ModelError(
            f"tokenizer.ggml.model is {brief(kind)}; supported: 'gpt2' (byte-level BPE)"
        )
    try:
        return _fast(fields)
    except ModelError:
        raise
    except Exception as error:
        # Tokens, merges and ids that do not fit each other, of which libraries have many classes.
        raise ModelError(
            f"the tokenizer in the GGUF metadata cannot be read: {type(error).__name__}: "
            f"{line(error)}"
        ) from error


def _fast(fields: Mapping[str, Any]) -> PreTrainedTokenizerFast:
    from transformers import PreTrainedTokenizerFast

    tokens = fields["tokenizer.ggml.tokens"]
    special = {
        f"{name}_token": tokens[fields[key]]
        for name, key in _SPECIAL.items()
        if fields.get(key) is not None
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=_bpe(fields),
        chat_template=fields.get("tokenizer.chat_template"),
        clean_up_tokenization_spaces=False,
        **special,
    )


_SPECIAL = {
    "bos": "tokenizer.ggml.bos_token_id",
    "eos": "tokenizer.ggml.eos_token_id",
    "pad": "tokenizer.ggml.padding_token_id",
    "unk": "tokenizer.ggml.unknown_token_id",
}


def _bpe(fields: Mapping[str, Any]) -> Tokenizer:
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    tokens, pre = fields["tokenizer.ggml.tokens"], fields.get("tokenizer.ggml.pre")
    merges = [tuple(merge.split(" ", 1)) for merge in fields["tokenizer.ggml.merges"]]
    vocab = {token: i for i, token in enumerate(tokens)}
    # Llama 3 takes a word that is in the vocabulary whole, whatever the merges would make of it.
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=pre == "llama-bpe"))
    tokenizer.pre_tokenizer = _pre_tokenizer(pre)
    tokenizer.decoder = decoders.ByteLevel()
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    kinds = fields.get("tokenizer.ggml.token_type") or [1] * len(tokens)
    added = [(token, kind) for token, kind in zip(tokens, kinds, strict=True)]
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t, kind in added if kind == _CONTROL]
    )
    tokenizer.add_tokens(
        [AddedToken(t, normalized=False) for t, kind in added if kind == _USER_DEFINED]
    )
    _add_bos(tokenizer, fields)
    return tokenizer


def _pre_tokenizer(pre: Any) -> Any:
    from tokenizers import Regex, pre_tokenizers

    if pre not in PRE_TOKENIZERS:
        raise ModelError(
            f"tokenizer.ggml.pre is {brief(pre)}; supported: {', '.join(PRE_TOKENIZERS)}"
        )
    if pre == "smollm":
        first = pre_tokenizers.Digits(individual_digits=True)
        return pre_tokenizers.Sequence([first, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    words = Regex(_WORDS % ("{1,3}" if pre == "llama-bpe" else ""))
    split = pre_tokenizers.Split(words, behavior="isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split, bytes_])


def _add_bos(tokenizer: Tokenizer, fields: Mapping[str, Any]) -> None:
    from tokenizers import processors

    bos = fields.get("tokenizer.ggml.bos_token_id")
    if not fields.get("tokenizer.ggml.add_bos_token") or bos is None:
        return
    token = fields["tokenizer.ggml.tokens"][bos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=[(token, bos)]
    )
