import re

import pytest

from sage_jax.data import DataError, Problem, make_problems, solutions
from sage_jax.data.arithmetic import OPERATIONS, is_held_out, parse, style_of
from sage_jax.data.styles import STYLES, work
from sage_jax.rewards import score

EQUATION = re.compile(r"(\d+(?: [+×-] \d+)*) = (\d+(?: [+×-] \d+)*)")


def value(expression):
    total = 1
    for index, word in enumerate(expression.split()):
        if index % 2 == 0:
            number, sign = int(word), expression.split()[index - 1] if index else "first"
            total = {"first": number, "+": total + number, "-": total - number}.get(
                sign, total * number
            )
    return total


def test_problems_are_right_distinct_and_in_range():
    problems = make_problems(0, 2000)
    assert len({problem.id for problem in problems}) == len({p.problem for p in problems}) == 2000
    for problem in problems:
        operation, a, b = parse(problem)
        assert 10 <= a <= 99
        assert 2 <= b <= 9 if operation == "multiply" else 10 <= b <= 99
        wanted = {"add": a + b, "subtract": a - b, "multiply": a * b}[operation]
        assert problem.answer == str(wanted)
        assert wanted >= 0
        assert problem.source == f"arithmetic/{operation}"
    assert {parse(problem)[0] for problem in problems} == set(OPERATIONS)


def test_a_function_of_the_arguments():
    assert make_problems(1, 50) == make_problems(1, 50) == make_problems(1, 80)[:50]
    assert make_problems(1, 50) != make_problems(2, 50)


def test_splits_never_meet():
    held_out = make_problems(5, 800, split="held_out")
    train = make_problems(0, 4000)

    def key(problem):
        operation, a, b = parse(problem)
        return operation, *((a, b) if operation == "subtract" else sorted((a, b)))

    assert not {key(problem) for problem in train} & {key(problem) for problem in held_out}
    share = sum(is_held_out("add", a, b, held_out=0.2) for a in range(100) for b in range(a)) / 4950
    assert 0.17 < share < 0.23
    everything = {problem.id for problem in make_problems(0, 500, split="all")}
    assert everything & {problem.id for problem in held_out}


@pytest.mark.parametrize("bounds", [{}, {"low": 0, "high": 30}, {"low": 100, "high": 2000}])
def test_every_solution_is_true_and_scores(bounds):
    for problem in make_problems(4, 300, split="all", **bounds):
        styles = solutions(problem)
        assert tuple(styles) == STYLES
        for text in styles.values():
            assert score(text, problem.answer).reward == 1.0, text
            equations = EQUATION.findall(text)
            assert all(value(left) == value(right) for left, right in equations), text
            assert "  " not in text
            assert text.endswith(rf"\boxed{{{problem.answer}}}")


def test_styles_differ_on_two_digit_numbers():
    for problem in make_problems(4, 300):
        _, a, b = parse(problem)
        if a % 10 and b % 10:
            assert len(set(solutions(problem).values())) == len(STYLES)


@pytest.mark.parametrize(
    ("operation", "style", "text"),
    [
        ("add", "direct", "28 + 45 = 73."),
        ("add", "split", "28 = 20 + 8 and 45 = 40 + 5. 20 + 40 = 60. 8 + 5 = 13. 60 + 13 = 73."),
        ("add", "round", "28 + 2 = 30. 45 - 2 = 43. 30 + 43 = 73."),
        ("add", "reorder", "28 + 45 = 45 + 28. 45 + 20 = 65. 65 + 8 = 73."),
    ],
)
def test_wording(operation, style, text):
    assert work(style, operation, 28, 45) == text


def test_answer_format():
    problem = make_problems(0, 1)[0]
    texts = solutions(problem, answer_format="The answer is {answer}.").values()
    assert all(text.endswith(f"The answer is {problem.answer}.") for text in texts)
    for bad in (r"\boxed{}", "{answer} {answer}"):
        with pytest.raises(DataError, match=r"answer_format must hold '{answer}' once"):
            solutions(problem, answer_format=bad)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_problems": 0}, "num_problems must be at least 1, got 0"),
        ({"operations": ()}, "operations must be some of"),
        ({"operations": ("divide",)}, r"got \('divide',\)"),
        ({"low": 20, "high": 10}, "low 20 and high 10"),
        ({"low": -1}, "low -1"),
        ({"split": "test"}, "split must be 'train', 'held_out' or 'all', got 'test'"),
        ({"held_out": 1.0}, "held_out must lie between 0 and 1, got 1.0"),
        ({"low": 10, "high": 12, "num_problems": 500}, "num_problems 500 is more than"),
    ],
)
def test_refused(options, message):
    with pytest.raises(DataError, match=message):
        make_problems(0, **({"num_problems": 5} | options))


def test_other_problems_are_not_worked_out():
    with pytest.raises(DataError, match="'x' is not one of the arithmetic ones"):
        solutions(Problem("x", "What is love?", "1"))


def test_a_solution_is_known_by_its_style():
    for problem in make_problems(0, 300, low=1, split="all"):
        worked = solutions(problem)
        for text in worked.values():
            # Where there is nothing to round, the direct solution says the same.
            same = [other for other in STYLES if worked[other] == text]
            assert style_of(problem, text) == same[0]
            assert style_of(problem, f"<think>\n{text}\n</think> So {text}") == same[0]


@pytest.mark.parametrize(
    ("completion", "style"),
    [
        ("Units first. 82 - 7 = 75, then 40 less is 35.", "reorder"),
        ("From 47 up to 50 is 3. From 50 up to 82 is 33. So 35.", "round"),
        ("47 = 40 + 7. 82 - 47 = 35.", "direct"),
        ("82 - 47 = 35.", "direct"),
        ("182 - 47 = 135.", "other"),
        ("35", "other"),
        ("", "other"),
    ],
)
def test_what_begins_in_a_style_is_of_it(completion, style):
    problem = Problem(id="x", problem="What is 82 - 47?", answer="35")
    assert style_of(problem, completion) == style
