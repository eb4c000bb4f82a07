import logging
import threading

import pytest

from sage_jax.rewards import NumberJudge, Verdict, readable, score
from sage_jax.rewards.math import judge

EQUAL = [
    ("42", "42"),
    ("42", "42.0"),
    ("42", "42."),
    ("42", r"\$42"),
    ("42", r"42\text{ dollars}"),
    ("42", "x = 42"),
    ("42", "(42)"),
    ("1000", "1,000"),
    (r"10,\!080", "10080"),
    (r"\frac12", "0.5"),
    (r"\frac{1}{2}", r"\dfrac{2}{4}"),
    (r"50\%", "0.5"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    ("x^2+1", "1+x^2"),
    ("p - q", "-q+p"),
    ("1,2", "2,1"),
    ("(3,4]", "(3, 4]"),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3, \pi/2)"),
    (r"\text{Evelyn}", "Evelyn"),
    ("4.5e33", r"4.5 \times 10^{33}"),
    (r"4.5 \times 10^{33}", "4.5e33"),
    ("-1./3", r"-\frac{1}{3}"),
    ("52_8", "52_8"),
    ("52_8", "52_{8}"),
    (r"30^\circ", "30"),
    (
        r"\begin{pmatrix} -1/3 \\ 2/3 \end{pmatrix}",
        r"\begin{pmatrix} -\frac{1}{3} \\ 2/3\end{pmatrix}",
    ),
]
UNEQUAL = [
    ("42", "43"),
    ("42", r"\neq 42"),
    ("42", ">42"),
    ("42", r"\geq 42"),
    ("42", "is not 42"),
    ("42", r"42 \text{ is not right}"),
    ("42", "41, 42"),
    ("42", "41 or 42"),
    ("42", r"\pm 42"),
    ("42", "42.0000001"),
    ("42", "4 2"),
    ("42", "print(42)"),
    ("42", "42!"),
    ("42", "1 = 42 + x"),
    (r"\frac{1}{3}", "0.333333"),
    (r"\sqrt{2}", "1.41421356"),
    ("2e-7", "1e-7"),
    ("52_8", "52_9"),
    ("42", "42_8"),
    ("(3,4]", "(3,4)"),
    ("(1,2)", "(2,1)"),
    (r"\text{even}", r"\text{odd}"),
    ("p - q", "q - p"),
    ("42", "n" + "o" * 3000),
]


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal_in_value(gold, answer):
    assert judge(answer, gold) == "correct"


@pytest.mark.parametrize(("gold", "answer"), UNEQUAL)
def test_unequal(gold, answer):
    assert judge(answer, gold) in ("wrong", "unreadable")


@pytest.mark.parametrize(
    ("completion", "gold", "reason"),
    [
        (r"\boxed{42}", "42", "correct"),
        (r"\boxed{43}", "42", "wrong"),
        ("It is big.", "42", "no_answer"),
        (r"<think>\boxed{42}", "42", "no_answer"),
        (r"\boxed{\neq 42}", "x", "wrong"),
        (r"\boxed{\frac{}{}}", "x", "unreadable"),
        (r"\boxed{" + "x+" * 2000 + "1}", "42", "unreadable"),
        (r"\boxed{42}", "", "unreadable_gold"),
        (r"\boxed{42}", "7" * 500, "unreadable_gold"),
        (r"\boxed{42 x}", r"\frac{", "unreadable_gold"),
    ],
)
def test_reasons(completion, gold, reason):
    verdict = score(completion, gold)
    assert (verdict.reason, verdict.reward) == (reason, float(reason == "correct"))
    assert verdict.seconds >= 0.0


@pytest.mark.parametrize(
    ("answer", "question", "reason"),
    [
        (r"\sqrt{20}", "", "correct"),
        (r"\sqrt{20}", r"Simplify $\sqrt{20}$.", "wrong"),
        (r"\sqrt{20}", r"Simplify $\sqrt {20}$.", "wrong"),
        (r"\sqrt{20}", r"Is $\sqrt{20}$ equal to $2\sqrt{5}$?", "correct"),
        (r"2 \sqrt5", r"Simplify $\sqrt{20}$.", "correct"),
    ],
)
def test_a_copied_question_is_no_answer(answer, question, reason):
    assert score(rf"\boxed{{{answer}}}", r"2\sqrt{5}", question).reason == reason


def test_lost_verdicts_are_those_not_reached():
    lost = {reason for reason in ("correct", "wrong", "deadline", "memory", "crashed", "unreadable")
            if Verdict.of(reason).lost}  # fmt: skip
    assert lost == {"deadline", "memory", "crashed"}


def test_gold_is_read_as_a_whole():
    # Given bare, math-verify reads these as fragments and pays for the fragment.
    for gold in (r"\sqrt{51}", "p - q", "(3,4]", r"6 - 5i", "3, 5, 7"):
        assert readable(gold)
        assert judge("3", gold) != "correct"


@pytest.mark.parametrize("gold", ["", " ", r"\frac{1}{2", "}{", "7" * 401, "x" * 2001])
def test_unreadable_golds(gold):
    assert not readable(gold)


def test_a_number_must_be_worked_out():
    answers = [r"\boxed{42}", r"\boxed{84/2}", r"\boxed{\frac{84}{2}}", r"\boxed{6 \times 7}"]
    reasons = [verdict.reason for verdict in NumberJudge().score([(a, "42") for a in answers])]
    assert reasons == ["correct", "wrong", "wrong", "unreadable"]
    assert [score(answer, "42").reward for answer in answers] == [1.0, 0.0, 0.0, 0.0]


def test_in_a_thread():
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(score(r"\boxed{x+1}", "1+x")))
    thread.start()
    thread.join()
    assert verdicts[0].reward == 1.0


def test_completions_do_not_reach_the_log(caplog):
    with caplog.at_level(logging.DEBUG):
        score(r"secret \boxed{\frac{secret}{}{}}", "1+x")
        score(r"\boxed{\frac{secret}{\sqrt}}", r"\int")
    assert "secret" not in caplog.text
