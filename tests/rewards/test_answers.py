import time

import pytest

from sage_jax.rewards.answers import TAIL, extract, oversized
from sage_jax.rewards.boxes import boxes
from sage_jax.rewards.thinking import after_thinking


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (r"so \boxed{42}", "42"),
        (r"so \boxed {42}", "42"),
        (r"so \fbox{42}", "42"),
        ("so \\boxed\n{ 42 }", "42"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"the final answer is 3 \boxed{2}", "2"),
        (r"\boxed{2}. The final answer is 3.", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ x \right\}}", r"\left\{ x \right\}"),
        (r"\boxed{\boxed{42}}", "42"),
        (r"\boxed{x = \boxed{3}, y = 4}", r"x = \boxed{3}, y = 4"),
        (r"\boxed{3 and \boxed{42}", "42"),
        (r"\boxed{42} and \boxed{3", "42"),
        (r"\boxed{42}; answer in \boxed{}", "42"),
        (r"} } \boxed{42}", "42"),
        ("<think>hm \\boxed{1}</think>So \\boxed{2}", "2"),
        ("hm \\boxed{1}</think>So \\boxed{2}", "2"),
        ("<think>hm \\boxed{1}</think>So it goes", None),
        ("<think>hm \\boxed{1}", None),
        ("a</think>\\boxed{1}<think>again", None),
        ("The answer is 42.", "42"),
        ("The answer is: $42$.", "42"),
        ("**Answer:** 42", "42"),
        ("Answer: \\(\\frac{1}{2}\\)", r"\frac{1}{2}"),
        ("the answer is 4. No, the answer is 5.", "5"),
        ("so\n#### 42", "42"),
        ("The answer is 42.\n" + "x" * 2000, None),
        ("The answer is 42. I hope it is right.", "42"),
        ("The answer is 4.25", "4.25"),
        ("The answer is 42. Answer:", "42"),
        ("The answer is 42. Wait, that is wrong.", None),
        ("The answer isolates 42", None),
        ("42", None),
        ("", None),
        ("The answer is", None),
        (r"\boxed", None),
        (r"\boxed{", None),
        ("\\", None),
    ],
)
def test_extract(completion, answer):
    assert extract(completion) == answer


def test_only_the_tail_counts():
    assert extract(r"\boxed{1}" + " " * TAIL) is None
    assert extract("x" * TAIL + r"\boxed{1}") == "1"


def test_boxes_in_order():
    assert boxes(r"\boxed{a}\boxed{b{c}}\boxed{\boxed{d}e}") == ["a", "b{c}", r"\boxed{d}e"]


def test_after_thinking():
    assert after_thinking("a") == "a"
    assert after_thinking("<think>a</think>b</think>c") == "c"


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{" * 100_000,
        "{" * 500_000 + "}" * 500_000,
        r"\boxed{" * 50_000 + "}" * 50_000,
        "answer is " * 100_000,
        "answer:" + " " * 500_000,
        "#### " * 100_000,
        "\\" * 1_000_001,
        "<think>" * 100_000 + "</think>" * 100_000,
        "$" * 100_000,
        "<answer>4</answer>" * 50_000,
        "<answer>" + "**Answer:** 4\n" * 3_000 + "</answer>",
        "**Final Answer**\n" * 50_000,
        r"\boxed 4 " * 100_000,
    ],
)
def test_hostile_text_takes_no_time(text):
    started = time.thread_time()
    extract(text)
    # A hundred times what it takes; a pattern that backtracks takes hours.
    assert time.thread_time() - started < 10


@pytest.mark.parametrize(
    ("answer", "too_much"),
    [
        ("7", False),
        ("x" * 2000, False),
        ("x+" * 1001, True),
        ("7" * 399, False),
        ("7" * 400, True),
        ("(" * 30 + ")" * 30, False),
        ("(" * 31 + ")" * 31, True),
        ("{[" * 16, True),
    ],
)
def test_oversized(answer, too_much):
    assert oversized(answer) is too_much
