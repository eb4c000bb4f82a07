import dataclasses
import gzip
import json

import pytest

from sage_jax.evaluate.completions import Completion, judged, read_completions
from sage_jax.files import ResultError

FULL = Completion(
    "p1", "So it is \\boxed{4}.\u2028é", "math500", 3, "4", True, 1.0, "equal", "direct", 12, False
)  # fmt: skip


def written(tmp_path, *lines, name="completions.jsonl"):
    path = tmp_path / name
    data = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in lines)
    path.write_bytes(gzip.compress(data.encode()) if name.endswith(".gz") else data.encode())
    return path


@pytest.mark.parametrize("name", ["completions.jsonl", "completions.jsonl.gz"])
def test_what_is_written_is_read(tmp_path, name):
    all_of_it = [FULL, Completion("p2", ""), dataclasses.replace(FULL, correct=False, reward=0.0)]
    path = written(tmp_path, *(one.line() for one in all_of_it), name=name)
    assert [*read_completions(path)] == all_of_it


def test_lines_of_other_programs_need_a_problem_and_a_completion(tmp_path):
    row = {"id": "a", "completion": "4", "model": {"name": "x"}, "logprobs": [0.5], "answer": None}
    path = written(tmp_path, "\ufeff" + json.dumps(row))  # With a mark, without a last newline.
    assert [*read_completions(path)] == [Completion("a", "4")]


def test_files_are_read_line_by_line(tmp_path):
    path = written(tmp_path, FULL.line(), "{broken\n")
    lines = read_completions(path)
    assert next(lines) == FULL
    with pytest.raises(ResultError, match="line 2: not JSON"):
        next(lines)


def row(**changes):
    return {"id": "p1", "completion": "4"} | changes


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("\n", "line 2: the line is blank; give one JSON object per line"),
        ('{"id": "p1", "comple', "line 2: not JSON"),
        ("[1]\n", r"line 2: must be a JSON object, got \[1\]"),
        ({"completion": "4"}, "line 2: field 'id' is missing; it must be a string"),
        ({"id": "p1"}, r"line 2 \(id 'p1'\): field 'completion' is missing"),
        (row(id=7), "line 2: field 'id' must be a string, got 7; write \"7\""),
        (row(id=" "), "line 2: field 'id' is empty"),
        ('{"id": "p1", "completion": "3", "completion": "4"}', "field 'completion' is given twice"),
        (row(length=10**400), "a number of 401 digits"),
        (row(completion=["4"]), r"field 'completion' must be a string, got \['4'\]"),
        (row(sample="0"), "field 'sample' must be a whole number, got '0'"),
        (row(sample=True), "field 'sample' must be a whole number, got True"),
        (row(sample=-1), "field 'sample' must not be negative, got -1"),
        (row(length=2.5), "field 'length' must be a whole number, got 2.5"),
        (row(correct=1), "field 'correct' must be true or false, got 1"),
        (row(reward="1"), "field 'reward' must be a number, got '1'"),
        (row(reward=float("nan")), "field 'reward' must be finite, got nan"),
        (row(suite=["a"]), r"field 'suite' must be a string, got \['a'\]"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong(tmp_path, line, message):
    path = written(tmp_path, FULL.line(), line)
    with pytest.raises(ResultError, match=message) as caught:
        list(read_completions(path))
    assert str(caught.value).startswith(f"{path}, line 2")
    assert "\n" not in str(caught.value)


def test_a_file_that_holds_none_is_named_with_what_it_is(tmp_path):
    with pytest.raises(ResultError, match=r"completions\.jsonl: holds no completion"):
        list(read_completions(written(tmp_path)))
    with pytest.raises(ResultError, match=r"gone\.jsonl: cannot be read: No such file"):
        list(read_completions(tmp_path / "gone.jsonl"))
    with pytest.raises(ResultError, match="this is one JSON array of 1"):
        list(read_completions(written(tmp_path, [row()])))
    with pytest.raises(ResultError, match="this is a Parquet file"):
        list(read_completions(written(tmp_path, "PAR1")))


def test_a_gzip_file_that_is_cut_off_gives_what_stands_before(tmp_path):
    lines = [dataclasses.replace(FULL, sample=n, reason=str(n * 7919)).line() for n in range(3000)]
    path = written(tmp_path, *lines, name="completions.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-40])
    seen = []
    with pytest.raises(ResultError, match=r"gz, after line \d+: not a whole gzip file"):
        seen.extend(one.sample for one in read_completions(path))
    assert seen == [*range(len(seen))]


def right_if_four(asked):
    return [dataclasses.replace(one, correct=one.completion == "4") for one in asked]


def test_what_has_no_verdict_is_judged_in_its_place():
    given = [Completion("a", "4"), Completion("b", "4", correct=False), Completion("c", "5")]
    calls = []

    def judge(asked):
        calls.append([one.id for one in asked])
        return right_if_four(asked)

    assert [one.correct for one in judged(given, judge, batch=2)] == [True, False, False]
    assert calls == [["a"], ["c"]]
    assert [one.correct for one in judged(given, judge, again=True)] == [True, True, False]
    assert calls[2:] == [["a", "b", "c"]]


def test_a_judge_that_errs_is_told():
    given = [Completion("a", "4"), Completion("b", "4")]
    with pytest.raises(ValueError, match="must give back the 2 completions that it was given"):
        list(judged(given, lambda asked: right_if_four(asked)[::-1]))
    with pytest.raises(ValueError, match="left a completion of 'a' without a verdict"):
        list(judged(given, lambda asked: asked))
