"""Tasks over tables on disk: JSON Lines, CSV, Parquet, the hub's and TFDS's forms."""

import csv as csv_module
import gzip
import json
import sys
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_jax.data import DataError, Problem, builders, preparing
from sage_jax.data import parts as tasks
from sage_jax.data.jsonl import read_problems
from sage_jax.data.problem_set import Dropped

# Their results' types say what tasks may give, and not what these do.
csv, hf, jsonl, parquet, tfds = cast(
    Any, (tasks.csv, tasks.hf, tasks.jsonl, tasks.parquet, tasks.tfds)
)

GSM8K = [{"question": f"{n} + 1?", "answer": f"so\n#### {n + 1}"} for n in range(4)]
AS_GSM8K = {"columns": {"problem": "question"}, "answer_from": "hashes"}
SUMS = [Problem(f"train-{n + 1}", f"{n} + 1?", str(n + 1)) for n in range(4)]


def write_parquet(path, rows, **options):
    pq.write_table(pa.Table.from_pylist(rows, **options), path)
    return str(path)


def write_lines(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return str(path)


def write_csv(path, rows, delimiter=","):
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv_module.DictWriter(file, [*rows[0]], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def refusal(call, *args, **options) -> str:
    with pytest.raises(DataError) as caught:
        call(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestParquet:
    def test_problems_and_those_held_out(self, tmp_path):
        train = write_parquet(tmp_path / "train.parquet", GSM8K)
        (tmp_path / "other").mkdir()
        other = write_parquet(tmp_path / "other" / "train.parquet", GSM8K[:2])
        found = parquet(train_file=train, eval_file=other, **AS_GSM8K, limit=3)
        assert found.train == SUMS[:3]
        assert [one.id for one in found.held_out] == ["held-out-train-1", "held-out-train-2"]
        assert found.dropped == (Dropped(f"{train}: beyond task.limit", 1),)
        assert parquet(train_file=train, **AS_GSM8K).held_out is None

    def test_rows_as_the_field_has_them(self, tmp_path):
        rows = [
            {"data_source": "d", "prompt": [{"content": f"{n}?", "role": "user"}],
             "reward_model": {"ground_truth": str(n), "style": "rule"},
             "extra_info": {"index": n, "split": "train"}}
            for n in range(2)
        ]  # fmt: skip
        path = write_parquet(tmp_path / "t.parquet", rows)
        columns = {"answer": "reward_model.ground_truth", "source": "data_source"}
        found = parquet(train_file=path, columns=columns, where={"extra_info.index": [1, 2]})
        assert found.train == [
            Problem("t-2", "1?", "1", "d", None, {k: rows[1][k] for k in ("reward_model",
                                                                        "extra_info")})
        ]  # fmt: skip

    def test_columns_of_numbers(self, tmp_path):
        rows = [{"problem": "a", "answer": 0.5}, {"problem": "b", "answer": 3}]
        for kind in (pa.float64(), pa.float32(), pa.decimal128(9, 3)):
            schema = pa.schema([("problem", pa.string()), ("answer", kind)])
            table = pa.table({n: [row[n] for row in rows] for n in ("problem", "answer")})
            pq.write_table(table.cast(schema), tmp_path / "t.parquet")
            found = parquet(train_file=str(tmp_path / "t.parquet"))
            assert [one.answer for one in found.train] == ["0.5", "3"]

    def test_times_that_python_has_none_for_are_text(self, tmp_path):
        table = pa.table({
            "problem": ["p"], "answer": ["1"],
            "at": pa.array([1], pa.timestamp("ns")), "late": pa.array([2**52], pa.timestamp("s")),
        })  # fmt: skip
        pq.write_table(table, tmp_path / "t.parquet")
        (found,) = parquet(train_file=str(tmp_path / "t.parquet")).train
        assert found.extra["at"] == "1970-01-01 00:00:00.000000001"
        assert isinstance(found.extra["late"], str)

    def test_columns_that_cannot_be_read_are_told(self, tmp_path):
        path = str(tmp_path / "t.parquet")
        pq.write_table(pa.table([pa.array(["p"])] * 2, names=["a", "a"]), path)
        told = f"{path}: the header names 'a' twice; give each column one"
        assert refusal(parquet, train_file=path) == told
        ends = pa.py_buffer(b"\0\0\0\0\1\0\0\0")
        odd = pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(b"\xff")])
        pq.write_table(pa.table({"problem": odd}), path)
        told = refusal(parquet, train_file=path)
        assert told.startswith(f"{path}: column 'problem' of string cannot be read: 'utf-8' codec")

    def test_a_pattern_names_several_files(self, tmp_path):
        for n in (2, 1):
            write_parquet(tmp_path / f"train-{n}.parquet", GSM8K[n : n + 1])
        found = parquet(train_file=str(tmp_path / "train-?.parquet"), **AS_GSM8K)
        assert [(one.id, one.answer) for one in found.train] == [
            ("train-1-1", "2"), ("train-2-1", "3"),
        ]  # fmt: skip
        write_parquet(tmp_path / "train-3.parquet", [{"question": "?", "answer": None}])
        told = refusal(parquet, train_file=str(tmp_path / "*.parquet"), **AS_GSM8K)
        assert "1 of 3 rows cannot be read: train-3.parquet, row 1: answer (answer) is e" in told

    def test_other_files_are_told(self, tmp_path):
        lines = write_lines(tmp_path / "a.jsonl.gz", GSM8K)
        assert refusal(parquet, train_file=lines) == (
            f"{lines}: this is no Parquet file, which begins with PAR1; take `task: {{use: jsonl}}`"
        )
        none = str(tmp_path / "none.parquet")
        told = f"{none}: cannot be read: No such file or directory"
        assert refusal(parquet, train_file=none) == told
        assert refusal(parquet, train_file=str(tmp_path)) == (
            f"{tmp_path}: cannot be read: Is a directory; name its files, as FOLDER/*.parquet"
        )
        pattern = str(tmp_path / "*.parquet")
        assert refusal(parquet, train_file=pattern) == f"{pattern}: no file has such a name"
        whole = write_parquet(tmp_path / "cut.parquet", GSM8K)
        (tmp_path / "cut.parquet").write_bytes((tmp_path / "cut.parquet").read_bytes()[:-9])
        told = refusal(parquet, train_file=whole)
        assert told.startswith(f"{whole}: cannot be read as Parquet: Parquet magic bytes not")
        empty = write_parquet(tmp_path / "e.parquet", [], schema=pa.schema([("a", pa.string())]))
        assert refusal(parquet, train_file=empty) == f"{empty}: holds no row"


class TestCsv:
    @pytest.mark.parametrize(
        ("name", "delimiter"),
        [("t.csv", ","), ("t.csv", ";"), ("t.txt", "\t"), ("t.csv", "|"), ("t.tsv", "\t")],
    )
    def test_cells_lie_between_what_the_header_says(self, tmp_path, name, delimiter):
        rows = [{"": n, **row, "note": 'a, b; c|d\t"e"'} for n, row in enumerate(GSM8K)]
        found = csv(train_file=write_csv(tmp_path / name, rows, delimiter), **AS_GSM8K)
        assert [(one.problem, one.answer) for one in found.train] == [
            (one.problem, one.answer) for one in SUMS
        ]
        # A row spans two lines, and is known by its first.
        assert [one.id for one in found.train] == ["t-2", "t-4", "t-6", "t-8"]
        assert found.train[0].extra == {"note": rows[0]["note"]}

    def test_a_delimiter_may_be_named_and_files_be_gzipped(self, tmp_path):
        text = "problem, in words~answer\n1, 2?~3\n"
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
        options = {"train_file": str(tmp_path / "t.csv.gz"), "delimiter": "~"}
        found = csv(**options, columns={"problem": "problem, in words"})
        assert [(one.problem, one.answer) for one in found.train] == [("1, 2?", "3")]
        for odd in ("::", '"', "\n", "\0"):
            told = f"task.delimiter: {odd!r} must be one character, and no quote or line end"
            assert refusal(csv, **options | {"delimiter": odd}) == told

    def test_a_quote_may_stand_behind_a_blank(self, tmp_path):
        (tmp_path / "t.csv").write_text('problem, answer\n"1, 2?", "3"\n')
        (found,) = csv(train_file=str(tmp_path / "t.csv")).train
        assert (found.problem, found.answer) == ("1, 2?", "3")

    def test_cells_are_text_and_filters_compare_it(self, tmp_path):
        rows = [{"problem": "p", "answer": "010", "level": n, "ok": n > 0} for n in range(3)]
        path = write_csv(tmp_path / "t.csv", rows)
        found = csv(train_file=path, where={"level": [1, 2], "ok": True})
        assert [(one.id, one.answer) for one in found.train] == [("t-3", "010"), ("t-4", "010")]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (b"", "holds no row"),
            (b"problem,answer\n", "holds no row"),
            (b"a,b,a\n1,2,3\n", "the header names 'a' twice; give each column one"),
            (b"problem,answer\np,1\np,1,2\n", "1 of 2 rows cannot be read: line 3: has 3 cells, and"
             " the header 2; mend them, or leave up to a share of the rows out by "
             "task.max_bad_share, which is 0"),
            (b'problem,answer\np,1\n"p "q" r",1\n', "no row of a CSV table: ',' expected after '\"'"
             "; a quote inside quotes is written twice"),
            (b'problem,answer\n"p,1\n', "no row of a CSV table: unexpected end of data; a quote "
             "inside quotes is written twice"),
            (b"problem,answer\np\xe9,1\n", "not UTF-8: invalid continuation byte at byte 16; save "
             "it again as UTF-8"),
            (b'\xef\xbb\xbf{"problem": 1}\n', "this is JSON Lines; take `task: {use: jsonl}`"),
            (b"PK\x03\x04", "this is a zip archive (or an Excel sheet); unpack it and name the "
             ".jsonl file in it"),
        ],
    )  # fmt: skip
    def test_other_files_are_told(self, tmp_path, text, message):
        (tmp_path / "t.csv").write_bytes(text)
        assert refusal(csv, train_file=str(tmp_path / "t.csv")).endswith(message)

    def test_a_long_cell_is_read_and_the_modules_limit_stays(self, tmp_path):
        limit = csv_module.field_size_limit()
        path = write_csv(tmp_path / "t.csv", [{"problem": "p" * 200_000, "answer": "1"}])
        assert len(csv(train_file=path).train[0].problem) == 200_000
        assert csv_module.field_size_limit() == limit


class TestJsonl:
    def test_columns_of_any_name(self, tmp_path):
        path = write_lines(tmp_path / "train.jsonl.gz", GSM8K)
        assert jsonl(train_file=path, **AS_GSM8K).train == SUMS

    def test_own_columns_are_read_strictly_as_before_and_may_be_limited(self, tmp_path):
        rows = [{"id": f"q{n}", "problem": "p", "answer": "1", "source": "ab"[n % 2]}
                for n in range(6)]  # fmt: skip
        path = write_lines(tmp_path / "t.jsonl", rows)
        found = jsonl(train_file=path, source_prefix="b", exclude_ids=("q1",), limit=1)
        assert [one.id for one in found.train] == ["q3"]
        assert found.held_out is None
        assert found.dropped == (Dropped(f"{path}: beyond task.limit", 1),)
        found = jsonl(train_file=path, where={"source": "b"}, exclude_ids=("q1",), eval_file=path)
        assert [one.id for one in found.train] == ["q3", "q5"]
        assert [one.id for one in found.held_out] == ["q1", "q3", "q5"]

    def test_a_pattern_names_several_files_and_one_alone_is_evaluated_on(self, tmp_path):
        for name in "ab":
            rows = [{"id": name, "problem": f"{name}?", "answer": "1"}]
            write_lines(tmp_path / f"{name}.jsonl", rows)
        found = jsonl(eval_file=str(tmp_path / "*.jsonl"))
        assert found.train == []
        assert [one.id for one in found.held_out] == ["a", "b"]
        found = csv(eval_file=write_csv(tmp_path / "t.csv", [{"problem": "p", "answer": "1"}]))
        assert (found.train, [one.id for one in found.held_out]) == ([], ["t-2"])

    def test_lines_that_are_none_are_counted(self, tmp_path):
        path = tmp_path / "t.jsonl"
        path.write_text('{"q": "?", "answer": "1"}\n\n{"q": "?"}\n[]\n{"q": 1, "q": 2}\n')
        told = refusal(jsonl, train_file=str(path), columns={"problem": "q"})
        assert told == (
            f"{path}: 4 of 5 rows cannot be read: line 2: the line is blank; give one JSON object "
            "per line; line 3: answer (answer) is empty; line 4: must be a JSON object, got []; "
            "line 5: field 'q' is given twice; mend them, or leave up to a share of the rows out "
            "by task.max_bad_share, which is 0"
        )
        found = jsonl(train_file=str(path), columns={"problem": "q"}, max_bad_share=0.8)
        assert [one.id for one in found.train] == ["t-1"]
        assert found.dropped[0].count == len(found.dropped[0].shown) == 4

    def test_what_does_not_go_together_is_told(self, tmp_path):
        path = write_lines(tmp_path / "t.jsonl", GSM8K)
        told = refusal(jsonl, train_file=path, prepared_dir=str(tmp_path), **AS_GSM8K)
        assert told.startswith("task.prepared_dir: only files in this project's own columns are")
        told = refusal(jsonl, train_file=path, exclude_ids=("t-9",), **AS_GSM8K)
        assert told == f"task.exclude_ids: {path} has no problem 't-9' to train on"
        every = tuple(f"t-{n}" for n in range(1, 5))
        told = refusal(jsonl, train_file=path, exclude_ids=every, **AS_GSM8K)
        assert told == f"task.exclude_ids: leaves none of the 4 problems of {path}"
        for function in (jsonl, csv):
            with pytest.raises(ValueError, match="train_file must be given; or an eval_file alone"):
                function(train_file="")
        assert refusal(csv, train_file="gs://a/b") == (
            "gs://a/b: rows are read from files on disk: copy it to one"
        )
        assert refusal(jsonl, train_file="a" * 5000).endswith("cannot be read: File name too long")


class TestHub:
    def test_a_parquet_file_needs_nothing_further(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "datasets", None)
        path = write_parquet(tmp_path / "train.parquet", GSM8K)
        assert hf(path=path, **AS_GSM8K).train == SUMS
        told = refusal(hf, path=path, eval_split="test")
        assert told.startswith(f"task.eval_split: {path} is one file, which has none: leave it out")

    def test_without_the_extra_it_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "datasets", None)
        told = refusal(hf, path="openai/gsm8k")
        assert told.startswith("task {use: hf} needs the package datasets: install sage-jax[hf] (")
        assert told.endswith("{use: parquet, train_file: ...}")

    @pytest.fixture
    def datasets(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        datasets = pytest.importorskip("datasets", reason="needs the extra [hf]")
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        return datasets

    def test_a_folder_of_splits(self, tmp_path, datasets):
        (tmp_path / "sums").mkdir()
        write_parquet(tmp_path / "sums" / "train.parquet", GSM8K)
        write_parquet(tmp_path / "sums" / "test.parquet", GSM8K[:1])
        path = str(tmp_path / "sums")
        found = hf(path=path, split="train[:2]", eval_split="test", **AS_GSM8K)
        assert [one.answer for one in found.train] == ["1", "2"]
        assert [one.id for one in found.held_out] == ["sums-test-1"]
        told = refusal(hf, path=path, split="dev", **AS_GSM8K)
        assert told.startswith(f'{path} (dev): ValueError: Unknown split "dev"')

    def test_what_was_saved_to_disk(self, tmp_path, datasets):
        one = datasets.Dataset.from_list(GSM8K)
        one.save_to_disk(tmp_path / "one")
        datasets.DatasetDict({"train": one}).save_to_disk(tmp_path / "all")
        for name in ("one", "all"):
            path = str(tmp_path / name)
            assert len(hf(path=path, **AS_GSM8K).train) == 4
            told = refusal(hf, path=path, split="dev", **AS_GSM8K)
            assert "'dev'" in told

    def test_what_is_not_there(self, tmp_path, datasets):
        told = refusal(hf, path=str(tmp_path / "none"))
        assert told.startswith(f"{tmp_path / 'none'} (train): FileNotFoundError: ")


class TestTfds:
    def test_any_prepared_data_set(self, tmp_path, fixtures):
        files = {"test": fixtures / "gsm8k_test.jsonl", "math": fixtures / "math500.jsonl"}
        splits = {name: read_problems(path) for name, path in files.items()}
        recipe = builders.Recipe(name="problems", version="1.0.0", read=lambda _: splits)
        preparing.read(recipe, data_dir=str(tmp_path))
        options = {"name": "problems", "data_dir": str(tmp_path)}
        found = tfds(**options, split="test[:3]", eval_split="math", limit=2)
        assert found.train == [
            Problem(one.id, one.problem, one.answer, one.source, one.solution, {"extra": "{}"})
            for one in splits["test"][:2]
        ]
        assert len(found.held_out) == 40
        assert refusal(tfds, **options, split="dev").startswith("problems (dev): ValueError: ")

    def test_names_that_are_not_there_are_refused(self, tmp_path):
        assert refusal(tfds, name="gsm9k", data_dir=str(tmp_path)) == (
            f"gsm9k (train): TFDS knows no data set of this name, and none lies prepared in "
            f"{tmp_path}: see https://www.tensorflow.org/datasets/catalog"
        )
        told = "task.name: 'huggingface:a/b': name a data set of TFDS itself, without a namespace"
        assert refusal(tfds, name="huggingface:a/b") == told
