# ruff: noqa: E501 (rows of examples)
r"""What a gold means, and whether a natural answer can equal it."""

import pytest

from sage_jax.rewards import readable, score
from sage_jax.rewards.golds import bare, expressions, is_wordlike, why_not

READ = [
    "51", "$51$", "1,251", r"2\frac12", r"10\%", r"\$3.50", r"\text{Eve}", "none", r"\text{no solution}", r"\text{undefined}", "xyz", "3:2",
    r"(-\infty, \frac{1}{3}]", r"\emptyset", r"\triangle ABC", "x < 2", r"x \ne 2", r"x = 3 \text{ or } x = 4", "f(x) = 2x+1", "x^2+y^2=25", "52_8",
    r"\sum_{k=1}^n a_k", r"\prod_{k=1}^n k!", r"\int_0^1 f(x) dx", r"\binom{n}{k}", r"\lambda_{\text{red}} / \sqrt{2}", "12\n",
    r"\begin{cases} x & x>0 \\ -x & x<0 \end{cases}", r"10 x \text{ cm}", "#### 1,251", "**51**", "`51`", r"\boxed{51}", "np.arcsin(10/13)",
]  # fmt: skip
NOT_READ = [
    "4 boxes hold 4*3=<<4*3=12>>12 pens.\n#### 12", "Ada has 12 pens left.", "She has 12 apples, and he has 3", r"\text{Yes, since 2 is even}", "12 red or blue pens",
    "x&gt;7", "x &ne; 7", "<b>7</b>", "**7** pens", "n/a", "NA", r"\text{N/A}", "Proof.", "see solution", "?", "-", "null", "TBD",
    r"\operatorname{vers} 40^\circ", r"\frac{1}{2", r"\frac{1}{}", "x^", "7 +",
    "the one that is left over after all of the others have gone", "7" * 401,
]  # fmt: skip


@pytest.mark.parametrize("gold", READ)
def test_a_natural_answer_can_equal_it(gold):
    assert readable(gold)


@pytest.mark.parametrize("gold", NOT_READ)
def test_only_a_copy_could_equal_it(gold):
    assert not readable(gold)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("#### 1,251", "1251"),
        ("**51**", "51"),
        ("__51__", "51.0"),
        (r"`\frac12`", "0.5"),
        (r"\boxed{51}", "51"),
        ("<answer>51</answer>", "51"),
        ("np.arcsin(10/13)", r"\arcsin\frac{10}{13}"),
        ("math.sqrt{2}", r"\sqrt2"),
    ],
)
def test_what_is_wrapped_around_a_gold_is_taken_off(gold, answer):
    assert score(rf"\boxed{{{answer}}}", gold).reason == "correct"
    assert score(r"\boxed{50}", gold).reason != "correct"
    assert bare(bare(gold)) == bare(gold)


@pytest.mark.parametrize("gold", ["2**3", "a_1__b", "5#", r"\boxed{1} \boxed{2}", "#### 1 #### 2"])
def test_nothing_else_is_taken_off(gold):
    assert bare(gold) == gold


def test_what_would_be_work_is_not_asked_of_the_library():
    assert expressions(r"\sum_{i=1}^n b_i") == expressions(r"(\infty, \int_0^1 g)") == []
    assert expressions(r"x = \sqrt{2}, \sqrt{3}") == [r"\sqrt{2}", r"\sqrt{3}"]


def test_reasons_name_what_is_wrong():
    assert why_not("5\n6") == "holds several lines"
    assert why_not("N/A") == "a placeholder, and not an answer"
    assert why_not("a &amp; b") == "holds HTML"
    assert why_not("one two three four five six seven eight nine") == ("a sentence of over 8 words")


def test_words_and_products():
    assert all(map(is_wordlike, ("red pens", "12 pens", r"\text{if }x")))
    assert not any(map(is_wordlike, ("xyz", r"\sin x", "sin x + cos x", "2ab + 3abc", r"\pi r^2")))
