"""Answers scored by data sets of Reasoning Gym: what is found, and what reaches a scorer."""

import sys
import types

import pytest

from sage_jax.rewards import gym, parts

ASKED = {
    "problem": "2 + 3?", "answer": "5", "data_set": "sums", "options": "{'most': 9}",
    "metadata": "{'pair': (2, 3)}",
}  # fmt: skip


class Sums:
    def score_answer(self, answer, entry):
        assert entry == {"question": "2 + 3?", "answer": "5", "metadata": {"pair": (2, 3)}}
        if answer == "deep":
            raise RecursionError
        return {"nan": float("nan"), "much": 7.0}.get(answer) or float(answer) / 5


@pytest.fixture(autouse=True)
def made(monkeypatch):
    """What data sets the library was asked for."""
    asked = []

    def create_dataset(name, **options):
        asked.append((name, options))
        return Sums()

    fake = types.SimpleNamespace(create_dataset=create_dataset)
    monkeypatch.setitem(sys.modules, "reasoning_gym", fake)
    gym._judge.cache_clear()
    yield asked
    gym._judge.cache_clear()


@pytest.mark.parametrize(
    ("completion", "given"),
    [
        (r"\boxed{5}", (1.0, "correct")),
        (r"<think>\boxed{5}</think> \boxed{2}", (0.4, "correct")),
        ("<answer>0</answer>", (0.0, "wrong")),
        ("The answer is 5.", (1.0, "correct")),
        ("Who knows?", (0.0, "no_answer")),
        (r"\boxed{five}", (0.0, "unreadable")),
        (r"\boxed{much}", (1.0, "correct")),
        (r"\boxed{nan}", (0.0, "wrong")),
    ],
)
def test_the_data_set_scores_the_final_answer(completion, given, made):
    assert parts.reasoning_gym(completion, **ASKED) == given
    assert made in ([], [("sums", {"seed": 0, "size": 1, "most": 9})])


def test_what_is_not_the_answer_s_fault_is_told():
    with pytest.raises(RecursionError):
        parts.reasoning_gym(r"\boxed{deep}", **ASKED)


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (r"<answer>1</answer> \boxed{2} <answer>3</answer>", "2"),
        ("\\boxed{1 2\n3 4}", "1 2\n3 4"),
        ("<answer>no</answer> and <answer>_ Q\nQ _</answer>", "_ Q\nQ _"),
        (r"\boxed{\text{ Emma }}", "Emma"),
        (r"\boxed{{\"a\": 1}}", r"{\"a\": 1}"),
        (r"\boxed{}<answer>x</answer>", "x"),
        ("</answer> <answer>", None),
        ("<think>never ends \\boxed{1}", None),
    ],
)
def test_an_answer_is_taken_as_it_is_written(completion, answer):
    assert gym.final(completion) == answer


@pytest.mark.parametrize("name", ["countdown", "intermediate_integration", "simple_integration"])
@pytest.mark.parametrize(
    "answer",
    [
        "__import__('os').getcwd()", "exec(input())", "open(x)", "(1).real", "x.y",
        "Integral(x, x)", "chr(9)", "e_x", "sinx", "lambda x: x", "[1]", "x @ y",
        "x\nprint(1)", "'a'",
    ],
)  # fmt: skip
def test_an_answer_that_sympy_would_run_does_not_reach_it(name, answer, made):
    assert not gym.harmless(name, answer)
    given = parts.reasoning_gym(f"\\boxed{{{answer}}}", **ASKED | {"data_set": name})
    assert given == (0.0, "unreadable")
    assert made == []


def test_mathematics_reaches_sympy():
    for answer in ("(3+4)*7", "2*x**3/3 + C", "-exp(2*x)*sin(x)/5 + log(x)", "1.5*x"):
        assert gym.harmless("countdown", answer)


@pytest.mark.parametrize("name", ["binary_matrix", "n_queens", "spiral_matrix", "string_insertion"])
def test_an_answer_that_python_would_run_does_not_reach_it(name):
    assert not gym.harmless(name, "[exit()]")
    assert gym.harmless(name, "[['_', 'Q'], ['Q', '_']]")
    assert gym.harmless("leg_counting", "f(x)")


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(ValueError, match=r"needs the package reasoning-gym: install sage-jax\[tas"):
        gym.library()
