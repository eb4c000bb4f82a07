"""Stop strings that are special tokens, hold one, or are plain text."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from sage_jax.learn.stops import stops
from sage_jax.models import ModelConfig
from sage_jax.run.exporting import exported_config


@pytest.fixture(scope="module")
def tokenizer():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({token: i for i, token in enumerate(letters)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    core.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    core.add_special_tokens(["<end>", "</think>"])
    core.add_tokens([AddedToken("<tool>", special=False), AddedToken("<note>", special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>")


def ends(tokenizer, strings, text, *, vocab_size=260):
    """How many tokens of a text are written, and whether a string or a token ended it."""
    ids, table = stops((256,), strings, tokenizer, vocab_size=vocab_size)
    state = jnp.zeros(1, jnp.int32)
    for count, token in enumerate(tokenizer(text)["input_ids"], 1):
        if token in ids:
            return count, "token"
        if table:
            state = table.advance(state, jnp.array([token]))
            if table.is_complete(state)[0]:
                return count, "string"
    return None


@pytest.mark.parametrize(
    ("strings", "text", "end"),
    [
        ((), "ab<end>c", (3, "token")),
        (("</think>",), "ab</think>c", (3, "token")),
        (("</think>", "<end>"), "ab</think>c", (3, "token")),
        (("</think>\n",), "ab</think>c", None),
        (("</think>\n",), "ab</think>\nc", (4, "string")),
        (("b</think>",), "ab</think>\nc", (3, "string")),
        (("<tool>",), "ab<tool>c", (3, "string")),
        (("<note>",), "ab<note>c", (3, "token")),
        (("c", "</think>"), "abc</think>", (3, "string")),
        (("think>",), "ab</think>c", None),
    ],
)
def test_ends(tokenizer, strings, text, end):
    assert ends(tokenizer, strings, text) == end


def test_a_token_beyond_the_model_is_refused_by_name(tokenizer):
    with pytest.raises(ValueError, match=r"stop '<note>' is token 259, .* has 258 tokens"):
        stops((256,), ("<note>",), tokenizer, vocab_size=258)


def test_without_strings_no_tokenizer_is_needed():
    assert stops((1, 2), (), None, vocab_size=4) == ((1, 2), None)


def test_an_exported_config_names_the_ends_that_training_stopped_at():
    config = ModelConfig(vocab_size=300, hidden_size=8, intermediate_size=8, num_layers=1,
                         num_heads=1, num_kv_heads=1, head_dim=8, eos_ids=(256,))  # fmt: skip
    base: Any = SimpleNamespace(
        loaded=SimpleNamespace(config=config), task=SimpleNamespace(stop_ids=(258, 256))
    )
    written = exported_config(base)
    assert ModelConfig.from_hf(written.to_hf()).eos_ids == (256, 258)
    assert dataclasses.replace(written, eos_ids=(256,)) == config
