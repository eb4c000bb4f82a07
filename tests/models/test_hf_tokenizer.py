"""The ids of a folder are those of its tokenizer.json, whatever stands beside it."""

import json

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from sage_jax.models import ModelError, hf_tokenizer, load, save_hf


def folder_tokenizer(folder):
    tokenizer = hf_tokenizer.folder_tokenizer(folder)
    assert tokenizer is not None
    return tokenizer


TEXTS = ["12 + 123", "a\n\n\n2024", "x =  12<end>", "<tool> ab  c", "  1234"]


def make_core():
    """Digits one by one, as SmolLM2 has them and GPT-2's class does not."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate([*letters, "12", "123", "ĠĠ", "ĊĊ", "ab"])}
    pairs = [("1", "2"), ("12", "3"), ("Ġ", "Ġ"), ("Ċ", "Ċ"), ("a", "b")]
    core = Tokenizer(models.BPE(vocab, pairs))
    core.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])  # fmt: skip
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(["<end>", "<pad>"])
    core.add_tokens([AddedToken("<tool>", special=False)])
    return core


@pytest.fixture
def write(tmp_path):
    """write(core, **settings): a folder with tokenizer.json and tokenizer_config.json."""

    def make(core=None, **settings):
        (core or make_core()).save(str(tmp_path / "tokenizer.json"))
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        return tmp_path

    return make


def ids(tokenizer):
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]


WANT = [make_core().encode(text).ids for text in TEXTS]


@pytest.mark.parametrize(
    "name",
    ["GPT2Tokenizer", "GPT2TokenizerFast", "LlamaTokenizer", "LlamaTokenizerFast", "GemmaTokenizer",
     "Qwen2Tokenizer", "Qwen2TokenizerFast", "PreTrainedTokenizerFast", "MyTokenizer", None, 7],
)  # fmt: skip
def test_whatever_class_is_named(write, name, caplog):
    tokenizer = folder_tokenizer(write(tokenizer_class=name, eos_token="<end>"))
    assert ids(tokenizer) == WANT
    assert tokenizer.eos_token_id == make_core().token_to_id("<end>")
    differs = isinstance(name, str) and name not in ("PreTrainedTokenizerFast", "MyTokenizer")
    told = [one for one in caplog.messages if f"names {name}, which would cut" in one]
    assert len(told) <= 1
    assert differs or not told


def test_settings_that_change_no_ids(write):
    core = make_core()
    core.enable_truncation(4)
    core.enable_padding(length=32, pad_token="<pad>")
    folder = write(
        core, add_prefix_space=True, add_bos_token=True, add_eos_token=True, model_max_length=3,
        split_special_tokens=True, clean_up_tokenization_spaces=True, padding_side="left",
        eos_token={"content": "<end>", "lstrip": True}, pad_token="<pad>",
        auto_map={"AutoTokenizer": ["x.Y", None]}, additional_special_tokens=["<more>"],
        added_tokens_decoder={"300": {"content": "<new>", "special": True}},
    )  # fmt: skip
    tokenizer = folder_tokenizer(folder)
    assert ids(tokenizer) == [tokenizer.backend_tokenizer.encode(text).ids for text in TEXTS]
    assert ids(tokenizer) == WANT
    assert len(tokenizer) == make_core().get_vocab_size()
    assert tokenizer.decode(tokenizer.encode("a , b .")) == "a , b ."


def test_merges_are_not_left_out_at_random(write):
    core = make_core()
    core.model.dropout = 0.9
    tokenizer = folder_tokenizer(write(core, eos_token="<end>"))
    assert [ids(tokenizer) for _ in range(3)] == [WANT] * 3


def test_a_named_token_that_the_vocabulary_lacks_is_left_out(write, caplog):
    tokenizer = folder_tokenizer(write(eos_token="<end>", pad_token="[PAD]"))
    assert tokenizer.pad_token is None
    assert len(tokenizer) == make_core().get_vocab_size()
    assert "names pad_token '[PAD]', which is not in tokenizer.json" in caplog.text


def test_tokens_named_in_the_map_alone(write):
    folder = write()
    (folder / "special_tokens_map.json").write_text('{"eos_token": {"content": "<end>"}}')
    assert folder_tokenizer(folder).eos_token == "<end>"


def test_where_chat_templates_are_kept(write):
    assert folder_tokenizer(write()).chat_template is None
    assert folder_tokenizer(write(chat_template="a")).chat_template == "a"
    named = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    assert folder_tokenizer(write(chat_template=named)).chat_template == "d"
    with pytest.raises(ModelError, match="must be named 'default'"):
        folder_tokenizer(write(chat_template=named[:1]))
    folder = write()
    (folder / "chat_template.json").write_text('{"chat_template": "j"}')
    assert folder_tokenizer(folder).chat_template == "j"
    (folder / "chat_template.jinja").write_text("file")
    assert folder_tokenizer(folder).chat_template == "file"


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_torn_files_are_refused(write, name):
    folder = write()
    (folder / name).write_text('{"version": ')
    with pytest.raises(ModelError, match=r"the tokenizer in .* cannot be read|not readable JSON"):
        folder_tokenizer(folder)


def test_what_is_saved_has_the_same_ids(write, make_model, tmp_path):
    tokenizer = folder_tokenizer(write(tokenizer_class="GPT2Tokenizer", eos_token="<end>"))
    config, _, params = make_model("qwen3")
    save_hf(tmp_path / "m", config, params, tokenizer)
    again = load(tmp_path / "m").tokenizer
    assert again is not None
    assert ids(again) == WANT
    assert again.eos_token == "<end>"


def test_a_split_by_rule_survives(write):
    core = make_core()
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"\d{1,3}|\D+"), behavior="isolated")
    want = core.encode("12345").ids
    tokenizer = folder_tokenizer(write(core, tokenizer_class="Qwen2Tokenizer"))
    assert tokenizer("12345", add_special_tokens=False)["input_ids"] == want
