import gzip
import json

import pytest

from sage_jax.rewards import VerifyFileError, read_pairs, verify_file


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_lines_in_order(tmp_path, pool):
    rows = [
        {"id": f"p{i}", "gold": f"{i % 3}+x", "completion": rf"\boxed{{x+{i % 2}}}", "more": i}
        for i in range(12)
    ]
    rows.append({"id": "none", "gold": "1", "completion": ""})
    lines = list(verify_file(write(tmp_path / "pairs.jsonl", rows), pool))
    assert [line["id"] for line in lines] == [row["id"] for row in rows]
    assert [line["reward"] for line in lines[:12]] == [float(i % 3 == i % 2) for i in range(12)]
    assert lines[-1] == {"id": "none", "reward": 0.0, "reason": "no_answer", "seconds": 0.0} | {
        "seconds": lines[-1]["seconds"]
    }
    assert all(set(line) == {"id", "reward", "reason", "seconds"} for line in lines)


def test_more_lines_than_are_kept_in_flight(tmp_path, pool):
    rows = [{"id": str(i), "gold": str(i), "completion": rf"\boxed{{{i}}}"} for i in range(3000)]
    lines = list(verify_file(write(tmp_path / "pairs.jsonl", rows), pool))
    assert [line["id"] for line in lines] == [str(i) for i in range(3000)]
    assert all(line["reward"] == 1.0 for line in lines)


def test_a_question_tells_copies(tmp_path, pool):
    rows = [
        {"id": "a", "gold": r"2\sqrt{5}", "completion": r"\boxed{\sqrt{20}}"},
        {"id": "b", "gold": r"2\sqrt{5}", "completion": r"\boxed{\sqrt{20}}",
         "question": r"Simplify $\sqrt{20}$."},
    ]  # fmt: skip
    lines = list(verify_file(write(tmp_path / "pairs.jsonl", rows), pool))
    assert [line["reward"] for line in lines] == [1.0, 0.0]


GOOD = '{"id": "a", "gold": "1", "completion": "b"}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "{\n", "line 2: not a line of JSON"),
        (GOOD + "\n" + "{\n", "line 3: not a line of JSON"),
        ("PAR1", "pairs.jsonl: this is a Parquet file; make JSON Lines of it"),
        (GOOD + "[]\n", "line 2: must be an object with id, gold, completion"),
        ('{"id": "a", "gold": "1"}\n', "line 1: field 'completion' is missing"),
        ('{"id": "a", "gold": 1, "completion": ""}', "line 1: field 'gold' is 1"),
        (GOOD * 2 + '{"id": null, "gold": "", "completion": ""}', "line 3: field 'id' is null"),
        (GOOD[:-2] + ', "question": 1}', "line 1: field 'question' must be a string"),
        ("[" * 100_000, "line 1: not a line of JSON"),
    ],
)
def test_malformed_lines(tmp_path, text, message, pool):
    path = tmp_path / "pairs.jsonl"
    path.write_text(text)
    with pytest.raises(VerifyFileError, match=message):
        verify_file(path, pool)


def test_unreadable_files(tmp_path):
    with pytest.raises(VerifyFileError, match="cannot be read"):
        read_pairs(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(GOOD.encode() + b'{"id": "\xe9"}')
    with pytest.raises(VerifyFileError, match=r"line 2: .*UTF-8"):
        read_pairs(tmp_path / "latin.jsonl")


@pytest.mark.parametrize("text", [
    "\ufeff" + GOOD * 2, GOOD + "\n  \n" + GOOD + "\n\n", "\n" + (GOOD * 2).replace("\n", "\r\n"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.jsonl.gz", "zipped_under_this_name.jsonl"])
def test_marks_blank_lines_and_gzip_are_taken(tmp_path, text, name):
    data = text.encode()
    (tmp_path / name).write_bytes(data if name == "pairs.jsonl" else gzip.compress(data))
    assert [pair.id for pair in read_pairs(tmp_path / name)] == ["a", "a"]


def test_empty_file_has_no_verdicts(tmp_path, pool):
    (tmp_path / "empty.jsonl").write_text("")
    assert list(verify_file(tmp_path / "empty.jsonl", pool)) == []
