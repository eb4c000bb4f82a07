import gzip
import json

import pytest

from sage_jax.data import DataError, Problem, check_golds, read_problems

GOOD = '{"id": "a", "problem": "1+1?", "answer": "2"}\n'


def line(**changes):
    row = {"id": "b", "problem": "2+2?", "answer": "4"} | changes
    return json.dumps({name: value for name, value in row.items() if value is not ...}) + "\n"


BROKEN = {
    "empty": (b"", "holds no problem"),
    "cut": (GOOD + '{"id": "b"', r"line 2: not JSON: .* at column \d+"),
    "not json": (GOOD + "hello\n", "line 2: not JSON"),
    "blank line": (GOOD + "\n" + line(), "line 2: the line is blank"),
    "spaces at the end": (GOOD + "   \n", "line 2: the line is blank"),
    "array": ("[1]\n", r"line 1: must be a JSON object, got \[1\]"),
    "number": (GOOD + "3\n", "line 2: must be a JSON object, got 3"),
    "whole file one array": ("[" + GOOD.strip() + "]\n", "this is one JSON array of 1; write one"),
    "two objects on a line": (GOOD.strip() * 2 + "\n", "line 1: not JSON: Extra data"),
    "too deep": ("[" * 100_000 + "\n", "line 1: .*nested too deeply"),
    "latin-1": (b'{"id": "caf\xe9", "problem": "p", "answer": "1"}\n', "line 1: not UTF-8"),
    "byte order mark on line 2": (
        GOOD.encode() + b"\xef\xbb\xbf" + line().encode(),
        "line 2: not JSON: Unexpected UTF-8 BOM",
    ),
    "utf-16": (GOOD.encode("utf-16"), "this is text in UTF-16; save it again as UTF-8"),
    "no id": (GOOD + line(id=...), "line 2: field 'id' is missing"),
    "no problem": (line(problem=...), r"line 1 \(id 'b'\): field 'problem' is missing"),
    "no answer": (GOOD + line(answer=...), r"line 2 \(id 'b'\): field 'answer' is missing"),
    "number as answer": (line(answer=42), r"'answer' must be a string, got 42; write \"42\""),
    "null answer": (line(answer=None), r"\(id 'b'\): field 'answer' must be a string, got null"),
    "list as answer": (line(answer=["1"]), r"must be a string, got \[\"1\"\]"),
    "true as id": (line(id=True), "line 1: field 'id' must be a string, got true"),
    "empty id": (line(id=""), "line 1: field 'id' is empty"),
    "empty problem": (line(problem=" \n"), r"\(id 'b'\): field 'problem' is empty"),
    "empty answer": (line(answer=""), r"\(id 'b'\): field 'answer' is empty"),
    "source not text": (line(source=7), r"field 'source' must be a string, got 7"),
    "solution not text": (line(solution={}), r"field 'solution' must be a string, got \{\}"),
    "id twice": (GOOD + line() + GOOD, "line 3: id 'a' is already used on line 1"),
    "field twice": ('{"id": "a", "answer": "1", "answer": "2"}', "field 'answer' is given twice"),
    "half a surrogate": (line(problem="x \ud800"), "'problem' holds half a surrogate pair"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(name, tmp_path):
    content, message = BROKEN[name]
    path = tmp_path / "broken.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_problems(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", GOOD.encode(), gzip.compress(GOOD.encode(), mtime=0)[:-9], b"\x1f\x8b" + b"x" * 40],
    ids=["empty", "plain", "cut off", "damaged"],
)
def test_broken_gzip(content, tmp_path):
    path = tmp_path / "broken.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken.jsonl.gz: (not a whole gzip|holds no problem)"):
        read_problems(path)


def test_gzip_damaged_inside(tmp_path):
    data = bytearray(gzip.compress("".join(line(id=str(i)) for i in range(500)).encode(), mtime=0))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "damaged.jsonl.gz"
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="not a whole gzip file"):
        read_problems(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"none.jsonl: cannot be read: No such file"):
        read_problems(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_problems(tmp_path)


def test_reads_all_there_is(tmp_path):
    text = line(id="a") + line(id="b", source="s", solution="t\u2028u\x0b\x85", z=None, more=[1])
    expected = [
        Problem("a", "2+2?", "4"),
        Problem("b", "2+2?", "4", "s", "t\u2028u\x0b\x85", {"more": [1], "z": None}),
    ]
    (tmp_path / "p.jsonl").write_text(text)
    (tmp_path / "raw.jsonl").write_text(
        text.replace("\\u2028", "\u2028").replace("\\u0085", "\x85").removesuffix("\n"), "utf-8"
    )
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("p.jsonl", "raw.jsonl", "p.jsonl.gz"):
        assert read_problems(tmp_path / name) == expected


def test_empty_solution_is_none(tmp_path):
    (tmp_path / "p.jsonl").write_text(line(solution=""))
    assert read_problems(tmp_path / "p.jsonl")[0].solution is None


def test_source_prefix(tmp_path):
    text = "".join(line(id=str(i), source=f"d/{'en' if i % 2 else 'zh'}") for i in range(6))
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    assert [problem.id for problem in read_problems(path, source_prefix="d/en")] == ["1", "3", "5"]
    with pytest.raises(DataError, match="begins with 'd/fr'; its sources are 'd/en', 'd/zh'"):
        read_problems(path, source_prefix="d/fr")
    path.write_text(text + line(id="0", source="d/en"))
    with pytest.raises(DataError, match="line 7: id '0' is already used on line 1"):
        read_problems(path, source_prefix="d/en")


@pytest.mark.parametrize("name", ["gsm8k_test", "math500"])
def test_sampled_data(name, fixtures, pool):
    problems = read_problems(fixtures / f"{name}.jsonl")
    assert len(problems) == 40
    assert all(problem.solution and problem.source for problem in problems)
    check_golds(problems, pool)
    pairs = [(rf"The answer is $\boxed{{{p.answer}}}$", p.answer) for p in problems]
    assert all(verdict.reason == "correct" for verdict in pool.score(pairs))


def test_solutions_of_math500_score(fixtures, pool):
    problems = read_problems(fixtures / "math500.jsonl")
    verdicts = pool.score([(problem.solution or "", problem.answer) for problem in problems])
    assert all(verdict.reason == "correct" for verdict in verdicts)


def test_answers_of_others_are_wrong(fixtures, pool):
    problems = read_problems(fixtures / "math500.jsonl")
    pairs = [
        (rf"\boxed{{{other.answer}}}", problem.answer)
        for problem, other in zip(problems, problems[1:] + problems[:1], strict=True)
        if other.answer != problem.answer
    ]
    assert len(pairs) > 30
    assert not any(verdict.reward for verdict in pool.score(pairs))


def test_unreadable_golds_are_named(pool):
    problems = [Problem("fine", "?", "1+x"), Problem("bad-1", "?", r"\frac{1}{2")]
    problems += [Problem("bad-2", "?", "7" * 401)]
    with pytest.raises(DataError) as caught:
        check_golds(problems, pool)
    message = str(caught.value)
    assert message.startswith("2 gold answers cannot be read by the verifier: bad-1 (")
    assert "bad-2" in message
    assert "fine" not in message
    assert r"'\\frac{1}{2': " in message
    with pytest.raises(DataError, match="and 5 more"):
        check_golds([Problem(str(i), "?", "}{") for i in range(15)], pool)


def test_golds_that_only_a_copy_could_equal_are_named(pool):
    golds = {"worked": "3*4=<<3*4=12>>12 pens.\n#### 12", "none": "N/A", "html": "x&gt;7"}
    problems = [Problem(id, "?", gold) for id, gold in golds.items()]
    problems += [Problem("fine", "?", "#### 1,251"), Problem("sum", "?", r"\sum_{i=1}^n b_i")]
    lost = pool.lost
    with pytest.raises(DataError) as caught:
        check_golds(problems, pool)
    message = str(caught.value)
    assert message.startswith("3 gold answers cannot be read by the verifier: worked (")
    assert "none ('N/A': a placeholder, and not an answer)" in message
    assert "html ('x&gt;7': holds HTML)" in message
    assert pool.lost == lost
    check_golds(problems[3:], pool)
