import json

import pytest

from sage_jax.data import DataError, batch_indices, builders, read_problems


@pytest.fixture(scope="module")
def files(fixtures):
    return {"test": fixtures / "gsm8k_test.jsonl", "math": fixtures / "math500.jsonl"}


def test_same_problems_in_the_same_order(files, tmp_path):
    for split, path in files.items():
        source = builders.data_source(files, split=split, data_dir=tmp_path)
        problems = read_problems(path)
        assert len(source) == len(problems)
        assert [builders.as_problem(item) for item in source] == problems
        batch = batch_indices(len(source), 8, seed=0, step=2)
        assert [builders.as_problem(source[int(i)]) for i in batch] == [problems[i] for i in batch]
    assert list(tmp_path.rglob("*.array_record*"))


def test_prepared_once(files, tmp_path, monkeypatch):
    builders.data_source(files, split="test", data_dir=tmp_path)

    def fail(*args, **kwargs):
        raise AssertionError("read again")

    monkeypatch.setattr(builders, "read_problems", fail)
    assert len(builders.data_source(files, split="math", data_dir=tmp_path)) == 40


def test_no_bars_are_drawn_into_a_log(files, tmp_path, capsys):
    builders.data_source(files, split="test", data_dir=tmp_path)
    assert capsys.readouterr().err == ""


def test_changed_file_is_prepared_anew(tmp_path):
    path = tmp_path / "p.jsonl"
    for answer in ("1", "2"):
        path.write_text(f'{{"id": "a", "problem": "é?", "answer": "{answer}"}}\n', "utf-8")
        source = builders.data_source({"train": path}, split="train", data_dir=tmp_path / "out")
        problem = builders.as_problem(source[0])
        assert (problem.problem, problem.answer, problem.solution) == ("é?", answer, None)


def test_columns_of_the_source_are_kept(tmp_path):
    path, rows = tmp_path / "p.jsonl", []
    for extra in ({}, {"difficulty": 3, "tags": ["é", None], "extra": {"a": 1.5}}):
        rows.append({"id": str(len(rows)), "problem": "?", "answer": "1"} | extra)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = builders.data_source({"train": path}, split="train", data_dir=tmp_path / "out")
    problems = [builders.as_problem(item) for item in source]
    assert problems == read_problems(path)
    assert problems[1].extra == {"difficulty": 3, "tags": ["é", None], "extra": {"a": 1.5}}


def test_source_prefix(files, tmp_path):
    options = {"split": "math", "data_dir": tmp_path, "source_prefix": "math500/algebra"}
    source = builders.data_source({"math": files["math"]}, **options)
    assert 0 < len(source) < 40
    assert all(item["source"].startswith(b"math500/algebra") for item in source)


def test_refused(files, tmp_path):
    with pytest.raises(DataError, match=r"split 'dev' is not among \['math', 'test'\]"):
        builders.data_source(files, split="dev", data_dir=tmp_path)
    with pytest.raises(DataError, match="files must name at least one split"):
        builders.Problems(files={}, data_dir=tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        builders.data_source({"a": tmp_path / "none.jsonl"}, split="a", data_dir=tmp_path)
