"""What each token of a tokenizer writes, in bytes."""

import json
import re
from collections.abc import Collection
from typing import Any

_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


def token_bytes(tokenizer: Any, *, spelled: Collection[str] = ()) -> list[bytes]:
    """The bytes that each token id contributes to decoded text, special tokens contributing none.

    Two kinds of tokenizers are understood: byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM), whose
    vocabulary spells each byte as a printable character, and SentencePiece-like ones (Llama 2,
    Gemma), which write a space as U+2581 and have tokens such as <0x0A> for single bytes.

    Args:
        tokenizer: a `transformers.PreTrainedTokenizerFast`, or a `tokenizers.Tokenizer`.
        spelled: texts to be looked for. A special token that stands in one of them writes its name,
            since it could not be found otherwise.

    Returns:
        One entry per token id, from 0 to the largest; ids that no token has are b"".

    Raises:
        ValueError: the tokenizer is of neither kind, or has no fast backend.
    """
    backend = _backend(tokenizer)
    spell = _speller(json.loads(backend.to_str()).get("decoder"))
    special = _special(tokenizer)
    vocabulary = backend.get_vocab(with_added_tokens=True)
    written = [b""] * (max(vocabulary.values(), default=-1) + 1)
    for token, index in vocabulary.items():
        if index not in special:
            written[index] = spell(token)
        elif any(token in text for text in spelled):
            written[index] = token.encode()
    return written


def special_id(tokenizer: Any, text: str) -> int | None:
    """The id of the special token that is spelt `text`, None if there is none.

    Raises:
        ValueError: the tokenizer has no fast backend.
    """
    index = _backend(tokenizer).token_to_id(text)
    return index if index in _special(tokenizer) else None


def _backend(tokenizer: Any) -> Any:
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "get_added_tokens_decoder"):
        raise ValueError(
            f"tokenizer must be a fast one (backed by tokenizers), got {type(tokenizer).__name__}"
        )
    return backend


def _special(tokenizer: Any) -> set[int]:
    added = _backend(tokenizer).get_added_tokens_decoder()
    special = {index for index, token in added.items() if token.special}
    return special | set(getattr(tokenizer, "all_special_ids", ()))


def _speller(decoder: dict | None):
    kinds = set(_kinds(decoder))
    if "ByteLevel" in kinds:
        return _spell_byte_level
    if kinds & {"ByteFallback", "Metaspace"}:
        return _spell_sentencepiece
    raise ValueError(
        "tokenizer must decode by ByteLevel, ByteFallback or Metaspace for stop strings, "
        f"got {sorted(kinds) or 'no decoder'}"
    )


def _kinds(decoder: dict | None) -> list[str]:
    if decoder is None:
        return []
    inner = [kind for part in decoder.get("decoders", []) for kind in _kinds(part)]
    return [decoder["type"], *inner]


def _byte_alphabet() -> dict[str, int]:
    """The printable character that byte-level BPE writes for each byte (Radford et al. 2019)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + place): byte for place, byte in enumerate(others)}


_ALPHABET = _byte_alphabet()


def _spell_byte_level(token: str) -> bytes:
    # An added token holding a character outside the alphabet, say a space, is decoded as it stands.
    if all(letter in _ALPHABET for letter in token):
        return bytes(_ALPHABET[letter] for letter in token)
    return token.encode()


def _spell_sentencepiece(token: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace("\u2581", " ").encode()
