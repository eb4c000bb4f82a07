import json
import os
from itertools import combinations

import numpy as np
import pytest

from sage_jax.evaluate import EvalResult, ProblemResult, ResultError, pass_at_k, tally


def test_a_saved_result_loads_as_it_was(tmp_path, make_result):
    result = make_result()
    path = tmp_path / "eval" / "final.json"
    result.save(path)
    assert EvalResult.load(path) == result
    assert [file.name for file in path.parent.iterdir()] == ["final.json"]


def test_summary_holds_the_ladder_and_one_majority(make_result):
    result = make_result(samples=12)
    summary = result.summary()
    assert list(summary) == [
        "pass@1", "pass@2", "pass@4", "pass@8", "pass^2", "pass^4", "pass^8", "draws@8",
        "majority@8", "answers/distinct@8", "mean_length", "truncated", "lost",
    ]  # fmt: skip
    correct = [problem.correct for problem in result.problems]
    assert summary["pass@4"]["mean"] == pytest.approx(pass_at_k(correct, 12, 4).mean())
    assert summary["pass@4"]["low"] < summary["pass@4"]["mean"] < summary["pass@4"]["high"]


def test_a_task_without_answers_has_no_majority(tmp_path):
    problems = (ProblemResult("a", 3, 4), ProblemResult("b", 0, 4))
    result = EvalResult("final", 1, "toy", 4, 0, 1.0, problems, 7.0, 0.0)
    assert not result.has_answers
    assert "majority@4" not in result.summary()
    result.save(tmp_path / "final.json")
    assert EvalResult.load(tmp_path / "final.json") == result


def test_distinct_answers_are_the_mean_over_all_subsets():
    given = ["7", "7", "8", "9", None]
    result = EvalResult(
        "t", 0, "toy", 5, 0, 1.0, (tally(given, [a == "7" for a in given], id="p", gold="7"),)
    )
    for k in range(1, 6):
        subsets = [{*subset} - {None} for subset in combinations(given, k)]
        expected = np.mean([len(subset) for subset in subsets])
        np.testing.assert_allclose(result.answers_table([k]), [[expected]])


def ended(id: str, correct: int, length: float | None, truncated: float | None = 0.5):
    return ProblemResult(id, correct, 4, length=length, truncated=truncated, lost=0.25)


def test_problems_left_out_leave_the_figures_and_means_of_the_others(tmp_path):
    problems = (ended("a", 4, 10.0), ended("b", 1, 20.0, 1.0), ended("c", 0, 60.0))
    result = EvalResult("final", 1, "toy", 4, 0, 1.0, problems, 30.0, 2 / 3, 0.25)
    left = result.without(["a", "elsewhere"])
    assert left.ids == ("b", "c")
    assert left.pass_table([1]).mean() == pytest.approx(1 / 8)
    assert (left.mean_length, left.truncated, left.lost) == (40.0, 0.75, 0.25)
    left.save(tmp_path / "left.json")
    assert EvalResult.load(tmp_path / "left.json") == left
    assert result.without([]) == result
    with pytest.raises(ResultError, match="final: none of its 3 problems would be left"):
        result.without("abc")


def test_means_that_the_problems_left_do_not_know_are_unknown(tmp_path):
    problems = (ended("a", 4, 10.0), ended("b", 1, None))
    result = EvalResult("final", 1, "toy", 4, 0, 1.0, problems, 30.0, 0.5, 0.25)
    left = result.without("a")
    assert (left.mean_length, left.truncated) == (None, 0.5)
    left.save(tmp_path / "left.json")
    assert EvalResult.load(tmp_path / "left.json") == left


def test_majority_table_counts_silent_problems_as_unsolved():
    problems = (ProblemResult("a", 2, 4, {"7": 2, "8": 1}, "7"), ProblemResult("b", 0, 4, {}, "9"))
    result = EvalResult("final", 1, "toy", 4, 0, 1.0, problems, 7.0, 0.0)
    np.testing.assert_allclose(result.majority_table([4]), [[1.0], [0.0]])


def test_tally_folds_spellings_of_the_right_answer_and_splits_wrong_lookalikes():
    found = tally(
        ["1/2", "0.5", None, "1/2", "3"], [True, True, False, False, False], id="p", gold="1/2"
    )
    assert found == ProblemResult("p", 2, 5, {"1/2": 2, "1/2 (judged wrong)": 1, "3": 1}, "1/2")
    EvalResult("t", 0, "toy", 5, 0, 0.0, (found,), 1.0, 0.0)
    with pytest.raises(ValueError, match="p: answers and correct must be as long"):
        tally(["1"], [], id="p", gold="1")


@pytest.mark.parametrize(
    ("wrong", "rate"),
    [
        (["0.25", r"\frac14", "1/4", r"25\%"], 0.0),
        (["2,300", "2300", "2300.0"], 0.0),
        (["0.25", "1/4"], 0.5),
        (["4", "5", "6"], 1.0),
        (["(1,2)", "(2,1)", "1,2"], 1.0),
    ],
)
def test_wrong_answers_of_one_value_are_one_candidate(wrong, rate):
    answers = ["3", "3.0", *wrong, None]
    found = tally(answers, [True, True] + [False] * (len(wrong) + 1), id="p", gold="3")
    assert found.correct == found.answers["3"] == 2
    assert sum(found.answers.values()) == len(answers) - 1
    result = EvalResult("t", 0, "toy", len(answers), 0, 1.0, (found,), 1.0, 0.0)
    np.testing.assert_allclose(result.majority_table([len(answers)]), [[rate]])


def test_a_crash_while_saving_leaves_the_old_file(tmp_path, make_result, monkeypatch):
    path = tmp_path / "final.json"
    make_result(seed=1).save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        make_result(seed=2).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["final.json"]


def put(*keys, value):
    def edit(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return edit


def drop(*keys):
    def edit(content):
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return edit


BROKEN = {
    "missing field": (drop("seed"), "field 'seed' is missing"),
    "unknown field": (put("colour", value=1), "unknown field 'colour'; known are tag, step"),
    "ill-typed head": (put("samples", value="16"), "samples must be a whole number, got '16'"),
    "bool as number": (put("step", value=True), "step must be a whole number, got True"),
    "no samples": (put("samples", value=-1), "samples must be at least 1, or 0 if exact, got -1"),
    "negative step": (put("step", value=-1), "step must not be negative, got -1"),
    "cold": (put("temperature", value=-1.0), "temperature must be finite and >= 0, got -1.0"),
    "infinite": (put("temperature", value=float("inf")), "temperature must be finite"),
    "no problems": (put("problems", value=[]), "problems must not be empty"),
    "problems no list": (put("problems", value={}), "problems must be a list, got {}"),
    "problem no object": (put("problems", 3, value=7), r"problems\[3\] must be an object, got 7"),
    "problem lacks": (drop("problems", 2, "gold"), r"problems\[2\]: field 'gold' is missing"),
    "problem ill-typed": (
        put("problems", 2, "correct", value=1.5),
        "problem 'p002': correct must be a whole number, got 1.5",
    ),
    "repeated id": (put("problems", 1, "id", value="p000"), "'p000' more than once"),
    "too many correct": (
        put("problems", 1, "correct", value=17),
        r"problem 'p001': correct must lie in 0..16, got 17",
    ),
    "other budget": (
        put("problems", 1, "samples", value=8),
        r"problem 'p001': samples must be 16, as in the file's head, got 8",
    ),
    "vote of zero": (
        put("problems", 1, "answers", value={"x": 0}),
        r"problem 'p001': answers\['x'\] must be a count of at least 1, got 0",
    ),
    "too many votes": (
        put("problems", 1, "answers", value={"x": 17}),
        "problem 'p001': answers add up to 17, more than the 16 samples",
    ),
    "gold not counted": (
        put("problems", 1, "answers", value={"x": 1}),
        r"problem 'p001': answers must count the \d+ correct samples under the gold '1', got 0",
    ),
    "no length": (
        drop("summary", "mean_length"),
        "summary: field 'mean_length' is missing; it is a number or null",
    ),
    "ill-typed mean": (
        put("summary", "lost", value="0"),
        "summary: lost must be a number, got '0'",
    ),
    "negative length": (
        put("problems", 1, "length", value=-1),
        "'p001': length must be finite and >= 0, got -1",
    ),
    "more than all cut off": (
        put("problems", 1, "truncated", value=1.5),
        "'p001': truncated must lie between 0 and 1",
    ),
    "endless": (put("summary", "mean_length", value=float("inf")), "mean_length must be finite"),
    "truncation": (put("summary", "truncated", value=1.5), "truncated must lie between 0 and 1"),
    "lost": (put("summary", "lost", value=-0.1), "lost must lie between 0 and 1"),
    "edited mean": (
        put("summary", "pass@4", "mean", value=0.99),
        r"summary: pass@4 must have mean 0\.\d+, which the problems give, got 0.99",
    ),
    "no interval": (drop("summary", "pass@1"), "summary: pass@1 must have mean"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_corrupt_file_is_refused_with_its_name_and_what_is_wrong(tmp_path, make_result, case):
    edit, message = BROKEN[case]
    path = tmp_path / "final.json"
    make_result().save(path)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=message) as caught:
        EvalResult.load(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b'{"tag": "fin', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1, 2]", "must hold a JSON object, got list"),
    ],
)
def test_a_file_that_is_no_result_is_refused(tmp_path, data, message):
    path = tmp_path / "final.json"
    path.write_bytes(data)
    with pytest.raises(ResultError, match=message):
        EvalResult.load(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ResultError, match=r"gone\.json: no such file"):
        EvalResult.load(tmp_path / "gone.json")
