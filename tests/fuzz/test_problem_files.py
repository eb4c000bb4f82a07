"""Any file of problems, of completions or of a run is read, or refused by file and line."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import changed, fuzzed, spoilt, values

from sage_jax.data import DataError, Problem, read_problems
from sage_jax.evaluate import ResultError
from sage_jax.evaluate.runs import read_run
from sage_jax.rewards import Pair, VerifyFileError, read_pairs

ROWS = [
    {"id": "a", "problem": "1+1?", "answer": "2", "source": "s/en", "solution": "\\boxed{2}"},
    {"id": "b", "problem": "½ + ½?", "answer": "1"},
    {"id": "c", "problem": "x\u2028y", "answer": "\\frac12", "extra": [1, {"k": None}]},
]
PAIRS = [
    {"id": "a", "gold": "2", "completion": "\\boxed{2}", "question": "1+1?"},
    {"id": "b", "gold": "\\frac12", "completion": "½"},
]
PIECES = (
    b"\n", b"\r\n", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\x00", b"\xff", b"\xc3",
    b" ", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"NaN", b"-Infinity", b"1e999",
    b"null", b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b'"id": "a", ', b'"answer": 7, ',
    b"\xe2\x80\xa8",
)  # fmt: skip


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def told(path, read, kind):
    """What is read, or None where it is refused by name in one line."""
    try:
        return read(path)
    except kind as error:
        message = str(error)
        assert message.startswith(str(path)), message
        assert message.isprintable(), message
        assert len(message) < 1000
        return None


FILES = {
    "problems": (ROWS, read_problems, DataError, Problem),
    "pairs": (PAIRS, read_pairs, VerifyFileError, Pair),
}


@pytest.mark.parametrize("name", FILES)
@fuzzed(250)
@given(st.data())
def test_changed_rows(scratch, name, data):
    rows, read, kind, one = FILES[name]
    path = scratch / "rows.jsonl"
    path.write_bytes(lines(data.draw(changed(rows))))
    found = told(path, read, kind)
    assert found is None or all(isinstance(item, one) for item in found)


@pytest.mark.parametrize("name", FILES)
@fuzzed(250)
@given(st.data())
def test_spoilt_lines(scratch, name, data):
    rows, read, kind, _ = FILES[name]
    path = scratch / "lines.jsonl"
    path.write_bytes(data.draw(spoilt(lines(rows), PIECES)))
    found = told(path, read, kind)
    for item in found or []:
        vars(item)["id"].encode()  # What is read can be written again.


@fuzzed(100)
@given(spoilt(gzip.compress(lines(ROWS), mtime=0), (b"\x00", b"\xff", b"\x1f\x8b", b"")))
def test_spoilt_archives(scratch, data):
    path = scratch / "lines.jsonl.gz"
    path.write_bytes(data)
    told(path, read_problems, DataError)


@fuzzed(50)
@given(values)
def test_any_json_on_a_line(scratch, value):
    path = scratch / "value.jsonl"
    path.write_text(json.dumps(value) + "\n")
    assert told(path, read_problems, DataError) is None
    assert told(path, read_pairs, VerifyFileError) is None


METRICS = [{"step": 1, "reward": 0.5, "kl/reference": 0.1}, {"step": 2, "reward": None}]
SAMPLES = [{"step": 1, "id": "a", "prompt": "p", "completion": "c", "reward": 1.0,
            "reason": "correct", "gold": "2", "finish": "stop", "tokens": ["c"], "q": [1.1],
            "advantages": 0.5}]  # fmt: skip
RESULT = {
    "tag": "final", "step": 2, "task": "t", "samples": 4, "seed": 1, "temperature": 1.0,
    "tokens": {},
    "problems": [{"id": "a", "correct": 1, "samples": 4, "answers": {"2": 1, "3": 2}, "gold": "2",
                  "modes": {"a way": 1}}],
    "summary": {"mean_length": 3.0, "truncated": 0.0, "lost": 0.0,
                **{f"pass@{k}": {"mean": mean} for k, mean in [(1, 0.25), (2, 0.5), (4, 1.0)]}},
}  # fmt: skip
CONFIG = "name: run\nguide: branch\nloss: {kl_coef: 0.05}\n"
PARTS = {
    "metrics.jsonl": lines(METRICS), "samples/step-000001.jsonl": lines(SAMPLES),
    "eval/final.json": json.dumps(RESULT).encode(), "config.yaml": CONFIG.encode(),
}  # fmt: skip
TREES = {"metrics.jsonl": METRICS, "samples/step-000001.jsonl": SAMPLES, "eval/final.json": RESULT}


@pytest.fixture(scope="module")
def run(scratch):
    """A folder that reads as a run."""
    for name, data in PARTS.items():
        (scratch / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / "run" / name).write_bytes(data)
    assert read_run(scratch / "run").final is not None
    return scratch / "run"


def read_with(run, name, data):
    (run / name).write_bytes(data)
    try:
        told(run / name, lambda _: read_run(run), ResultError)
    finally:
        (run / name).write_bytes(PARTS[name])


@pytest.mark.parametrize("name", PARTS)
@fuzzed(75)
@given(st.data())
def test_spoilt_parts_of_a_run(run, name, data):
    read_with(run, name, data.draw(spoilt(PARTS[name], PIECES)))


@pytest.mark.parametrize("name", TREES)
@fuzzed(75)
@given(st.data())
def test_changed_parts_of_a_run(run, name, data):
    tree = data.draw(changed(TREES[name]))
    whole = lines(tree) if name.endswith("l") else json.dumps(tree).encode()
    read_with(run, name, whole)
