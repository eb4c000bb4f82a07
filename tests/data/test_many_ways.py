import itertools
import json

import pytest

from sage_jax.data import DataError
from sage_jax.data.many_ways import (
    DOMAINS,
    LEVELS,
    judge,
    make_problems,
    modes_of,
    way_of,
    worked,
)
from sage_jax.data.many_ways.countdown import read

EVERY = [*itertools.product(DOMAINS, LEVELS)]


def boxed(answer):
    return f"Let me see. \\boxed{{{answer}}}"


@pytest.mark.parametrize(("domain", "level"), EVERY)
def test_every_answer_is_right_in_a_way_of_its_own(domain, level):
    for problem in make_problems(3, 12, domain=domain, level=level):
        answers = modes_of(problem)
        ways = {way_of(problem, boxed(answer)) for answer in answers}
        assert 2 <= len(answers) == len(ways) == problem.extra["num_modes"] <= 100
        assert "" not in ways
        asked = (problem.extra["domain"], problem.extra["facts"])
        assert all(judge(boxed(answer), *asked) == 1.0 for answer in answers)
        assert problem.answer in answers
        assert judge(worked(problem, 7), *asked) == 1.0


@pytest.mark.parametrize(("domain", "level"), [(name, 2) for name in DOMAINS])
def test_the_split_holds_under_any_seed(domain, level):
    train = [make_problems(seed, 60, domain=domain, level=level) for seed in (0, 1)]
    held_out = make_problems(2, 40, domain=domain, level=level, held_out=True)
    assert train[0] == make_problems(0, 80, domain=domain, level=level)[:60] != train[1]
    trained = {one.problem for one in (*train[0], *train[1])}
    assert not trained & {one.problem for one in held_out}


# What a brute search finds, written without a look at how answers are listed.
def coins(facts):
    for count in range(1, facts["most"] + 1):
        for chosen in itertools.combinations_with_replacement(sorted(facts["coins"]), count):
            if sum(chosen) == facts["sum"]:
                yield " ".join(map(str, chosen))


def orders(facts):
    for order in itertools.permutations(facts["things"]):
        if all(order.index(a) < order.index(b) for a, b in facts["before"]):
            yield "".join(order)


def paths(facts):
    places = sorted({place for road in facts["roads"] for place in road})
    inner = [place for place in places if place not in (facts["start"], facts["end"])]
    for count in range(facts["most"]):
        for between in itertools.permutations(inner, count):
            way = (facts["start"], *between, facts["end"])
            if all(a + b in facts["roads"] for a, b in itertools.pairwise(way)):
                yield "".join(way)


def colours(facts):
    for chosen in itertools.product("rgb", repeat=len(facts["places"])):
        given = dict(zip(facts["places"], chosen, strict=True))
        if all(given[a] != given[b] for a, b in facts["borders"]):
            groups = {c: "".join(p for p in given if given[p] == c) for c in chosen}
            yield " ".join(sorted(groups.values()))


SEARCHES = {"change": coins, "orders": orders, "paths": paths, "colours": colours}


@pytest.mark.parametrize("domain", SEARCHES)
def test_all_modes_are_listed(domain):
    for problem in make_problems(5, 6, domain=domain, level=2):
        found = set(SEARCHES[domain](json.loads(problem.extra["facts"])))
        assert {way_of(problem, boxed(answer)) for answer in modes_of(problem)} == found


def test_all_expressions_are_found():
    """Every bracketing of every order of three numbers, by Python itself."""
    for problem in make_problems(1, 10, domain="countdown", level=1):
        facts = json.loads(problem.extra["facts"])
        forms = ("({} {} {}) {} {}", "{} {} ({} {} {})")
        texts = [
            form.format(a, one, b, two, c)
            for a, b, c in itertools.permutations(facts["numbers"])
            for one, two in itertools.product(facts["signs"], repeat=2)
            for form in forms
        ]
        right = {way_of(problem, boxed(t)) for t in texts if eval(t) == facts["target"]}
        assert right == {way_of(problem, boxed(answer)) for answer in modes_of(problem)}


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1 + 2 + 3", "3 + (2 + 1)", True),
        ("(8 - 3) - 2", "8 - (2 + 3)", True),
        ("8 - (3 - 2)", "8 + 2 - 3", True),
        ("(2 × 3) ÷ 6", "3 / 6 * 2", False),  # 3 / 6 leaves a rest.
        ("(2 + 3) * 4", "4 * (3 + 2)", True),
        ("2 + 3 * 4", "2 * 3 + 4", False),
        ("8 / 4 / 2", "8 / (4 * 2)", True),
        ("1 − 2", "1 - 2", True),
    ],
)
def test_order_and_brackets_make_no_other_way(left, right, same):
    ways = [found and found.mode for found in map(read, (left, right))]
    assert (ways[0] == ways[1]) == same


HOSTILE = [
    "", "x", "__import__('os')", "9**9**9", "1+", "(" * 200, "1" * 5000, "True", "1.0", "1e3",
    "0x1", "1 < 2", "[1]", "1, 2", "-1", "\x00", "1 if 1 else 2", "A" * 4000, "A red" * 900, "٣",
]  # fmt: skip


@pytest.mark.parametrize("domain", DOMAINS)
def test_what_is_no_answer_is_wrong(domain):
    (problem,) = make_problems(0, 1, domain=domain, level=1)
    asked = (problem.extra["domain"], problem.extra["facts"])
    assert [text for text in HOSTILE if judge(boxed(text), *asked)] == []
    assert judge(problem.answer, *asked) == 0.0  # Not boxed.
    assert way_of(problem, "<think> \\boxed{1}") == ""


WRONG = {
    "change": ({"coins": [2, 3], "sum": 6, "most": 2}, ["2, 2, 2", "6", "3"]),
    "orders": ({"things": ["A", "B"], "before": ["AB"]}, ["B, A", "A", "A, A, B"]),
    "paths": (
        {"roads": ["AB", "BA", "BC"], "start": "A", "end": "C", "most": 2},
        ["A, C", "A, B", "A, B, A, B, C"],
    ),
    "colours": (
        {"places": ["A", "B"], "borders": ["AB"]},
        ["A red, B red", "A red", "A red, B pink", "A red, A green, B blue"],
    ),
    "countdown": ({"numbers": [2, 3], "target": 5, "signs": "+-"}, ["2 * 3 - 1", "2 + 3 + 0", "5"]),
}


@pytest.mark.parametrize("domain", WRONG)
def test_answers_that_break_a_rule_are_wrong(domain):
    facts, answers = WRONG[domain]
    assert [one for one in answers if judge(boxed(one), domain, json.dumps(facts))] == []


def test_more_problems_than_there_are_is_said():
    with pytest.raises(DataError, match="change of level 1 has fewer than 100000"):
        make_problems(0, 100_000, domain="change", level=1)
