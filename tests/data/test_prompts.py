import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from sage_jax.data import Problem, demonstration, make_problems, render, render_text, solutions

PROBLEM = Problem("p", "What is 23 + 45?", "68")
DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\n" + DEFAULT_SYSTEM + "<|im_end|>\n"
    "{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
)


def make_tokenizer(template, *, adds=False):
    """Bytes as tokens, with the special tokens of ChatML."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<|start|>", "<|im_start|>", "<|im_end|>"]
    vocab = {token: index for index, token in enumerate([*specials, *alphabet])}
    core = Tokenizer(models.BPE(vocab, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    core.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    core.add_special_tokens(specials)
    if adds:
        core.post_processor = processors.TemplateProcessing(  # pyright: ignore[reportAttributeAccessIssue]
            single="<|start|> $A <|im_end|>", special_tokens=[("<|start|>", 0), ("<|im_end|>", 2)]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>")
    tokenizer.chat_template = template
    return tokenizer


@pytest.fixture(scope="module")
def chat():
    return make_tokenizer(CHATML)


def test_golden_renderings(chat):
    path = Path(__file__).parents[1] / "golden" / "smollm2_135m_instruct_q4_1.json"
    for case in json.loads(path.read_text())["cases"]:
        problem = Problem("p", case["user"], "?")
        assert render_text(chat, problem) == case["rendered"]
        assert chat.decode(render(chat, problem)) == case["rendered"]


def test_parts(chat):
    text = render_text(chat, PROBLEM, system_prompt="Be brief.", answer_instruction="Box it.")
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWhat is 23 + 45?\nBox it.<|im_end|>\n<|im_start|>assistant\n"
    )
    closed = render_text(chat, PROBLEM, add_generation_prompt=False)
    assert closed.endswith("What is 23 + 45?<|im_end|>\n")


def test_special_tokens_are_single_ids(chat):
    ids = render(chat, PROBLEM)
    assert ids[0] == 1
    assert ids.count(1) == 3
    assert ids.count(2) == 2
    assert all(type(token) is int for token in ids)


@pytest.mark.parametrize("adds", [False, True])
def test_plain_fallback(adds):
    tokenizer = make_tokenizer(None, adds=adds)
    text = "Be brief.\n\nProblem: What is 23 + 45?\nBox it.\n\nSolution:\n"
    options: Any = {"system_prompt": "Be brief.", "answer_instruction": "Box it."}
    assert render_text(tokenizer, PROBLEM, **options) == text
    ids = render(tokenizer, PROBLEM, **options)
    assert tokenizer.decode(ids) == ("<|start|>" if adds else "") + text
    assert render_text(tokenizer, PROBLEM, add_generation_prompt=False).endswith("45?")


def test_template_that_refuses():
    tokenizer = make_tokenizer(NO_SYSTEM)
    with pytest.raises(ValueError, match="refuses system and user messages: no system here"):
        render(tokenizer, PROBLEM, system_prompt="Be brief.")


@pytest.mark.parametrize("template", [CHATML, None])
def test_demonstration(template):
    tokenizer = make_tokenizer(template)
    for style in solutions(make_problems(0, 1)[0]).values():
        ids, loss_mask = demonstration(tokenizer, PROBLEM, style, system_prompt="Be brief.")
        prompt = render(tokenizer, PROBLEM, system_prompt="Be brief.")
        assert ids[: len(prompt)] == prompt
        assert len(ids) == len(loss_mask)
        assert loss_mask == [False] * len(prompt) + [True] * (len(ids) - len(prompt))
        assert tokenizer.decode(ids[len(prompt) :]) == style + "<|im_end|>"
        assert ids[-1] == tokenizer.eos_token_id


def test_demonstration_is_what_the_template_writes(chat):
    ids, _ = demonstration(chat, PROBLEM, "68")
    messages = [
        {"role": "user", "content": PROBLEM.problem},
        {"role": "assistant", "content": "68"},
    ]
    assert chat.decode(ids) + "\n" == chat.apply_chat_template(messages, tokenize=False)


def test_demonstration_end(chat):
    assert demonstration(chat, PROBLEM, "68", end_id=0)[0][-1] == 0
    with pytest.raises(ValueError, match="problem 'p': the solution to imitate is empty"):
        demonstration(chat, PROBLEM, "")
    endless = make_tokenizer(None)
    endless.eos_token = None
    with pytest.raises(ValueError, match="give end_id"):
        demonstration(endless, PROBLEM, "68")
