import random

import pytest

from sage_jax.data import Problem
from sage_jax.data.decontaminate import decontaminate

QUESTION = (
    "A gardener plants 12 rows of tulips along a path, each row with 7 tulips more than the row "
    "before it, and the first row has 5. How many tulips are there in all of the rows together?"
)


def problems(*texts, name="t"):
    return [Problem(f"{name}{place}", text, "1") for place, text in enumerate(texts)]


def reasons(train, evaluation, **options):
    found = decontaminate(problems(*train), problems(*evaluation, name="e"), **options)
    return [(one.id, one.evaluation_id, one.reason) for one in found.removed]


def test_what_is_removed_and_what_stays():
    train = problems(
        "A fox runs.",
        QUESTION.upper().replace(" 12 ", r" \(12\) "),
        f"{QUESTION} Give the answer in the form k/m and find k + m.",
        QUESTION.replace("12", "15").replace("5.", "9."),
    )
    kept, removed = decontaminate(train, problems(QUESTION, "Who runs?", name="e"))
    assert kept == [train[0], train[3]]
    assert removed == [("t1", "e0", "equal", 1.0), ("t2", "e0", "overlap", 1.0)]


def test_other_numbers_are_another_problem_unless_said_otherwise():
    sibling = QUESTION.replace("12 rows", "15 rows").replace("7 tulips", "4 tulips")
    assert reasons([sibling], [QUESTION]) == []
    assert reasons([sibling], [QUESTION], particular=0) == [("t0", "e0", "overlap")]
    assert reasons([sibling], [QUESTION], particular=0, containment=0.95) == []


def test_the_form_of_the_answer_does_not_count():
    recast = " The answer can be written as m/n, where m and n are relatively prime. Find m + n."
    short = "What is the chance that two dice show at least nine points in all?"
    assert reasons([f"{short} Round to two digits if needed."], [short + recast]) == [
        ("t0", "e0", "overlap")
    ]
    other = "A box of 3 red and 4 blue balls is emptied ball by ball; how likely is red last?"
    assert reasons([other + recast], [short + recast]) == []


def test_figures_do_not_count():
    figure = "[asy] size(100); draw((0,0)--(4,0)--(4,3)--cycle); label(A, (0,0), W); dot((2,1)); "
    one = f"In the triangle ABC of the figure, how long is the side AB? {figure} [/asy]"
    other = f"Which of the angles in the picture is a right one, and why so? {figure} [/asy]"
    assert reasons([other], [one]) == []
    assert reasons([one.split("[asy]")[0]], [one]) == [("t0", "e0", "overlap")]


def test_short_ones_are_compared_whole():
    few = "Compute 3 + 4 + 5"
    assert reasons(["Compute 3 + 4 + 5 + 6", "Compute 3 - 4 + 5", "Compute 3 + 5 + 4"], [few]) == []
    train = [r"compute $3+4+5$.", "Compute 3+4+5. The answer is in the form n."]
    assert reasons(train, [few]) == [("t0", "e0", "equal"), ("t1", "e0", "overlap")]
    letters = "In how many ways can the letters of {} be put in order"
    assert reasons([letters.format("LEVEL")], [letters.format("RADAR")], particular=0) == []


def test_chinese_goes_by_characters():
    question = "已知正整数满足条件，且任意两个数的和都是质数，求这样的数最多有多少个"
    assert reasons([f"（竞赛题）{question}？请给出答案。", "求最大的质数"], [question]) == [
        ("t0", "e0", "overlap")
    ]


def test_damage_hides_nothing():
    text = r"Let $p=\frac{2}{3}$ be the chance that it rains on a day in May, in \times of old."
    hurt = text.replace(r"\f", "\f").replace(r"\t", "\t")
    assert reasons([hurt], [text]) == [("t0", "e0", "equal")]


def test_all_that_a_training_problem_meets_is_told():
    twice = problems(QUESTION, QUESTION, name="e")
    assert [one.evaluation_id for one in decontaminate(problems(QUESTION), twice).removed] == [
        *("e0", "e1")
    ]


def texts(draw, count, longest):
    names = ["ant", "bee", "cow", "dog", "elk", "fox"]
    return [" ".join(draw.choices(names, k=draw.randint(1, longest))) for _ in range(count)]


def oracle(train, evaluation, ngram, containment):
    """Every pair by itself, of texts that are words alone."""
    found = set()
    for problem in train:
        for other in evaluation:
            mine, wanted = (
                [tuple(of[i : i + ngram]) for i in range(len(of) - ngram + 1)]
                for of in (problem.problem.split(), other.problem.split())
            )
            share = len({*mine} & {*wanted}) / max(1, len({*wanted}))
            length = len(other.problem.split())
            least = 1.0 if length < 2 * ngram else containment
            if problem.problem == other.problem:
                found.add((problem.id, other.id, "equal", 1.0))
            elif length >= ngram and share >= least:
                found.add((problem.id, other.id, "overlap", share))
    return found


@pytest.mark.parametrize(("ngram", "containment"), [(1, 0.9), (2, 0.5), (3, 0.3), (4, 1.0)])
def test_as_pair_by_pair(ngram, containment):
    draw = random.Random(ngram)
    wordings = texts(draw, 40, 16)
    longer = [f"fox {text} ant" for text in wordings[3:9]]
    train = problems(*texts(draw, 60, 20), *wordings[:3], *longer)
    evaluation = problems(*wordings, name="e")
    found = decontaminate(train, evaluation, ngram=ngram, containment=containment)
    wanted = oracle(train, evaluation, ngram, containment)
    assert {tuple(one) for one in found.removed} == wanted
    assert {one[2] for one in wanted} == {"equal", "overlap"}
    gone = {one[0] for one in wanted}
    assert found.kept == [one for one in train if one.id not in gone]
    assert 0 < len(found.kept) < len(train)


def test_order_and_company_change_nothing():
    draw = random.Random(5)
    train, evaluation = problems(*texts(draw, 60, 20)), problems(*texts(draw, 40, 16), name="e")
    whole = decontaminate(train, evaluation, ngram=2)
    mixed, mixed_evaluation = draw.sample(train, 60), draw.sample(evaluation, 40)
    again = decontaminate(mixed, mixed_evaluation, ngram=2)
    assert sorted(again.removed) == sorted(whole.removed)
    assert again.kept == [one for one in mixed if one in whole.kept]
    one_by_one = [
        found for one in train for other in evaluation
        for found in decontaminate([one], [other], ngram=2).removed
    ]  # fmt: skip
    assert sorted(one_by_one) == sorted(whole.removed)


def test_nothing_against_nothing():
    train = problems("Who runs?")
    assert decontaminate(train, []) == (train, [])
    assert decontaminate([], train) == ([], [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ngram": 0}, "ngram must be at least 1, got 0"),
        ({"containment": 0.0}, "containment must be above 0 and at most 1, got 0.0"),
        ({"containment": 1.5}, "containment must be above 0 and at most 1, got 1.5"),
        ({"containment": float("nan")}, "containment must be above 0 and at most 1, got nan"),
        ({"particular": -0.1}, "particular must be from 0 to 1, got -0.1"),
        ({"particular": 2}, "particular must be from 0 to 1, got 2"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        decontaminate([], [], **options)
