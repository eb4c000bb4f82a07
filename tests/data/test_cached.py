import json

import pytest

from sage_jax.data import DataError, cached, read_problems


def test_same_problems_in_the_same_order(fixtures, tmp_path):
    for name in ("gsm8k_test.jsonl", "math500.jsonl"):
        found = cached.read_cached(fixtures / name, data_dir=tmp_path)
        assert found == read_problems(fixtures / name)
    assert list(tmp_path.rglob("*.array_record*"))


def test_prepared_once_and_in_silence(fixtures, tmp_path, monkeypatch, capfd):
    def fail(*args, **kwargs):
        raise AssertionError("read again")

    path = fixtures / "math500.jsonl"
    cached.read_cached(path, data_dir=tmp_path)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(cached, "read_problems", fail)
    assert len(cached.read_cached(path, data_dir=tmp_path)) == 40


def test_changed_file_is_prepared_anew(tmp_path):
    path = tmp_path / "p.jsonl"
    for answer in ("1", "2"):
        path.write_text(f'{{"id": "a", "problem": "é?", "answer": "{answer}"}}\n', "utf-8")
        (problem,) = cached.read_cached(path, data_dir=tmp_path / "out")
        assert (problem.problem, problem.answer, problem.solution) == ("é?", answer, None)


def test_columns_of_the_source_are_kept(tmp_path):
    path, rows = tmp_path / "p.jsonl", []
    for extra in ({}, {"difficulty": 3, "tags": ["é", None], "extra": {"a": 1.5}}):
        rows.append({"id": str(len(rows)), "problem": "?", "answer": "1"} | extra)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = cached.read_cached(path, data_dir=tmp_path / "out")
    assert problems == read_problems(path)
    assert problems[1].extra == {"difficulty": 3, "tags": ["é", None], "extra": {"a": 1.5}}


def test_source_prefix(fixtures, tmp_path):
    found = cached.read_cached(
        fixtures / "math500.jsonl", data_dir=tmp_path, source_prefix="math500/algebra"
    )
    assert 0 < len(found) < 40
    assert all(problem.source.startswith("math500/algebra") for problem in found)


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        cached.read_cached(tmp_path / "none.jsonl", data_dir=tmp_path)
