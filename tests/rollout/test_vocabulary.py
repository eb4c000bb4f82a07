"""Bytes of tokens: joined, they must be the text that was encoded."""

import json

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from sage_jax.rollout import token_bytes

TEXTS = ["Tokens, bytes & spaces  too.\n", "naïve → 日本語 🙂", "\t x=\\boxed{42}</s", "\x00\x7f"]


@pytest.fixture(scope="module")
def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.add_tokens([AddedToken("<think>", special=False), AddedToken("two words")])
    return tokenizer


@pytest.fixture(scope="module")
def sentencepiece():
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", "a", "b", "\u2581a"]
    model = {piece: place for place, piece in enumerate(pieces)}
    tokenizer = Tokenizer(
        models.BPE(vocab=model, merges=[("\u2581", "a")], unk_token="<unk>", byte_fallback=True)
    )
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return tokenizer


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece"])
@pytest.mark.parametrize("text", TEXTS)
def test_joined_bytes_are_the_text(kind, text, request):
    tokenizer = request.getfixturevalue(kind)
    written = token_bytes(tokenizer)
    assert b"".join(written[one] for one in tokenizer.encode(text).ids) == text.encode()


@pytest.mark.parametrize(("kind", "special"), [("byte_level", "<|end|>"), ("sentencepiece", "<s>")])
def test_special_tokens_write_nothing(kind, special, request):
    tokenizer = request.getfixturevalue(kind)
    assert token_bytes(tokenizer)[tokenizer.token_to_id(special)] == b""


def test_added_tokens_write_themselves(byte_level):
    written = token_bytes(byte_level)
    for token in ("<think>", "two words"):
        assert written[byte_level.token_to_id(token)] == token.encode()


def test_a_transformers_tokenizer_serves_too(byte_level):
    wrapped = PreTrainedTokenizerFast(tokenizer_object=byte_level, eos_token="<|end|>")
    assert token_bytes(wrapped) == token_bytes(byte_level)


def test_the_special_tokens_that_transformers_names_write_nothing(byte_level):
    wrapped = PreTrainedTokenizerFast(tokenizer_object=byte_level, pad_token="<think>")
    assert token_bytes(wrapped)[byte_level.token_to_id("<think>")] == b""


def test_ids_that_no_token_has_write_nothing(byte_level):
    described = json.loads(byte_level.to_str())
    described["model"]["vocab"]["zz"] = 400
    written = token_bytes(Tokenizer.from_str(json.dumps(described)))
    assert written[400] == b"zz"
    assert len(written) == 401
    assert written[399] == b""


def test_other_tokenizers_are_refused():
    wordpiece = Tokenizer(models.WordPiece({"[UNK]": 0}))
    with pytest.raises(ValueError, match=r"must decode by ByteLevel.* got no decoder"):
        token_bytes(wordpiece)
    wordpiece.decoder = decoders.WordPiece()
    with pytest.raises(ValueError, match=r"must decode by ByteLevel.* got \['WordPiece'\]"):
        token_bytes(wordpiece)
    with pytest.raises(ValueError, match=r"must be a fast one .* got object"):
        token_bytes(object())
