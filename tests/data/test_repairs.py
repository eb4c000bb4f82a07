import pytest

from sage_jax.data import Problem
from sage_jax.data.repairs import eaten_escapes, form_feeds, instructions, near_copies


def mended(repair, text):
    repaired = repair([Problem("a", text, "1")])
    assert repaired.touched == (["a"] if repaired.problems[0].problem != text else [])
    return repaired.problems[0].problem


@pytest.mark.parametrize(
    ("damaged", "whole"),
    [
        ("$\x0crac{m}{n}$ or $\x0crac12$", r"$\frac{m}{n}$ or $\frac12$"),
        ("\x0corall x", r"\forall x"),
        ("the \x0crst \x0cgure that satis\x0ces it", "the first figure that satisfies it"),
        ("fi\x0cve \x0cfirst, in\x0cfinite", "five first, infinite"),
        ("de\x0cne it, then \x0cnd it", "define it, then find it"),
        ("one page.\x0cThe next", "one page. The next"),
        ("the end of it\x0cand more", "the end of it and more"),
        ("both \x0c\x0c$a$ \x0c \x0c\n\x0c|2|\x0c", "both $a$  \n|2|"),
        ("no form feed,\tno change", "no form feed,\tno change"),
    ],
)
def test_form_feeds(damaged, whole):
    assert mended(form_feeds, damaged) == whole


@pytest.mark.parametrize(
    ("damaged", "whole"),
    [
        ("2 \times 3^\theta", r"2 \times 3^\theta"),
        ("\text{min} and \triangle ABC and \tau", r"\text{min} and \triangle ABC and \tau"),
        ("=\x08eta+\x08egin{cases}", r"=\beta+\begin{cases}"),
        ("\x0bec{v}, \x07lpha", r"\vec{v}, \alpha"),
        ("\rho and \right)", r"\rho and \right)"),
        ("$\nabla f$, $x \neq 0$, $a \notin B$", r"$\nabla f$, $x \neq 0$, $a \notin B$"),
        ("a di\x0bfference", "a difference"),
    ],
)
def test_eaten_escapes(damaged, whole):
    assert mended(eaten_escapes, damaged) == whole


@pytest.mark.parametrize(
    "text",
    [
        "a\ttable\tof\text",
        "\n\tdraw((0,0));\n\treturn 2*sin(x);",
        "is to be\nequal, or\nnot; see\neq. 5",
        "it was\right there",
        "$$\nu = \\sqrt{x}\n$$\ni = 2",
        "4 \timesheets",
        r"whole: \times \beta \neq",
    ],
)
def test_what_may_be_meant_so_stays(text):
    assert mended(eaten_escapes, text) == text


def test_answers_and_solutions_are_mended_too():
    hurt = Problem("a", "How much?", "\x0crac{1}{2}", "s", "It is \x0crac{1}{2}.", {"level": 1})
    well = Problem("a", "How much?", r"\frac{1}{2}", "s", r"It is \frac{1}{2}.", {"level": 1})
    assert form_feeds([hurt]) == ([well], ["a"])


@pytest.mark.parametrize(
    "instruction",
    [
        "Please reason step by step, and put your final answer within \\boxed{}.",
        "Let's think step by step and output the final answer within \\boxed{}.",
        "Think step by step. Put your final answer in \\boxed{...}!",
        "Solve the following math problem step-by-step.",
        "\nPlease write your answer in \\boxed{answer}",
        'Remember to put your answer on its own line after "Answer:".',
        "The last line of your response should be of the form Answer: $Answer.",
        "\n让我们一步一步地思考。请以“Answer: \\boxed{<x>}”的格式输出最终答案。"
        "如果是选择题，请按顺序输出正确的选项，不带任何标点或空格。对于其他类型的问题，请只输出最终答案的数值。",
        "\n请逐步推理，并将最终答案放在 \\boxed{} 中。",
    ],
)
@pytest.mark.parametrize("statement", ["How many are there?", "Find $x$", "求 $x$ 的值。"])
def test_instructions_at_the_end_go(instruction, statement):
    assert mended(instructions, f"{statement} {instruction}") == statement


@pytest.mark.parametrize(
    "text",
    [
        "What is 3/6? Express your answer as a common fraction.",
        "Find x. The answer is in the form m/n. Please provide the value of m + n.",
        "Please reason step by step. What is 1 + 1?",
        "Ann climbs the stairs step by step. How many steps are there?",
        r"Find the value of \boxed{\boxed{11}\times\boxed{20}}",
        "已知答案格式为 $a+b$，求 $a+b$ 的值。",
        "Please reason step by step.",
        "Let $f(x) = x + 1$. Please solve $f(x) = 0$ step by step.",
        "Let $ABC$ be right. Find its area step by step.",
        "Let $ABC$ be right. Give its area as your answer in \\boxed{}.",
        "Let $ABC$ be right. Write the answer to 1 + 1 in \\boxed{}.",
        "设 $x>0$。请逐步求出 $x$ 的值。",
        "设 $x>0$。请求出 $x$，答案放在 \\boxed{} 中。",
    ],
)
def test_what_is_asked_stays(text):
    assert mended(instructions, text) == text


def test_near_copies():
    problems = [
        Problem("a", "Let $x=1$.", "1"),
        Problem("b", "Who?", "2"),
        Problem("c", r"let \(x = 1\)", "1"),
        Problem("d", "Find 3 + 4.", "7"),
        Problem("e", "Find 3 - 4.", "-1"),
        Problem("f", "求 x", "1"),
        Problem("g", "求 y", "1"),
        Problem("h", "?", "1"),
        Problem("i", "!", "1"),
    ]
    kept, touched = near_copies(problems)
    assert [one.id for one in kept] == ["a", "b", "f", "g", "h", "i"]
    assert touched == ["c", "d", "e"]
    assert near_copies(kept) == (kept, [])


@pytest.mark.parametrize("repair", [form_feeds, eaten_escapes, instructions, near_copies])
def test_nothing_to_mend(repair):
    sound = [Problem("a", "How many?", "1"), Problem("b", r"Find $\frac{1}{2}$ of 2.", "1")]
    assert repair(sound) == (sound, [])
    assert repair([]) == ([], [])
