"""While a thought is open there is no answer, whatever its tags are called."""

import doctest

import pytest

from sage_jax.rewards import NumberJudge, thinking
from sage_jax.rewards.answers import extract
from sage_jax.rewards.format import boxed_once
from sage_jax.rewards.thinking import after_thinking, first_opening, is_tag

PAIRS = [
    ("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"), ("<seed:think>", "</seed:think>"), ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"), ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
]  # fmt: skip


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_thoughts_of_every_kind(opening, closing):
    cut_off = rf"{opening}First: \boxed{{12}}. So the answer is 12."
    closed = rf"{opening}\boxed{{11}}?{closing}So \boxed{{12}}."
    assert extract(cut_off) is None
    assert extract(closed) == "12"
    assert extract(closed.removeprefix(opening)) == "12"
    assert extract(closed + f" Wait. {opening} No") is None
    assert (boxed_once(cut_off), boxed_once(closed)) == (0.0, 1.0)
    assert is_tag(opening)
    assert is_tag(closing)
    assert first_opening(f"a{closing}b{opening}") == 2 + len(closing)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("<think>a</thinking>b", None),
        ("<think>a<thought>b</thought>c</think>d", "d"),
        ("<think>a<think>b</think>c", "c"),
        ("a</think>b</thinking>c", "c"),
        ("<thinks>a", "<thinks>a"),
        ("[think]a", "[think]a"),
        ("a < think > b", "a < think > b"),
        ("", ""),
    ],
)
def test_what_closes_what(text, rest):
    assert after_thinking(text) == rest


def test_a_number_in_a_thought_is_no_answer():
    texts = ["<think>5 + 7 = 12", "<think>5 + 7 = 12</think>I do not know.", "hm</think>12"]
    verdicts = NumberJudge().score([(text, "12") for text in texts])
    assert [verdict.reason for verdict in verdicts] == ["no_answer", "no_answer", "correct"]


@pytest.mark.parametrize("token", ["<|im_end|>", "<s>", "</s>", "<tool_call>", "[INST]", "think"])
def test_other_tokens_are_no_tags(token):
    assert not is_tag(token)
    assert first_opening(token) is None


def test_examples_in_docstrings():
    result = doctest.testmod(thinking)
    assert result.attempted > 0
    assert result.failed == 0
