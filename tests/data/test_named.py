"""Data sets by name: upstream's files read, files by hand known, everything else refused."""

import dataclasses
import hashlib
import io
import json
import re
import tarfile
import urllib.error
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_jax.data import DataError, Problem, named, read_problems
from sage_jax.data.named import competitions, dapo, files, gsm8k, hendrycks, minerva
from sage_jax.data.named.data_set import DataSet, Split, as_lines


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return [path]


class TestUpstream:
    """Each reader over rows of upstream's form."""

    def test_gsm8k(self, fixtures, tmp_path):
        problems = read_problems(fixtures / "gsm8k_test.jsonl")
        rows = [{"question": f"{one.problem}\n", "answer": one.solution} for one in problems]
        found = gsm8k.converted("test")(lines(tmp_path / "test.jsonl", rows))
        # The fixture is every 33rd row, and an id says which.
        assert [one.id for one in found[:2]] == ["gsm8k-test-0", "gsm8k-test-1"]
        assert [dataclasses.replace(one, id="") for one in found] == [
            dataclasses.replace(one, id="") for one in problems
        ]

    def test_commas_of_gsm8k_and_a_line_separator(self, tmp_path):
        row = {"question": "a\u2028b?", "answer": "sums\n#### 1,234,567"}
        (found,) = gsm8k.converted("train")(lines(tmp_path / "train.jsonl", [row]))
        assert (found.answer, found.id) == ("1234567", "gsm8k-train-0")
        assert as_lines([found]).count(b"\n") == len(as_lines([found]).decode().splitlines()) == 1

    def test_math500(self, fixtures, tmp_path):
        path = fixtures / "math500.jsonl"
        rows = [as_math500(one) for one in read_problems(path)]
        assert as_lines(hendrycks.math500(lines(tmp_path / "test.jsonl", rows))) == (
            path.read_bytes()
        )

    def test_aime24(self, tmp_path):
        url = "https://artofproblemsolving.com/wiki/index.php/2024_AIME_II_Problems/Problem_3"
        row = {"id": 83, "problem": " How many?\n", "solution": "Few.", "answer": "025", "url": url}
        (found,) = competitions.aime24(lines(tmp_path / "test2024.jsonl", [row]))
        assert found == Problem("aime24-II-3", "How many?", "25", "aime24/II", "Few.")

    def test_aime25(self, tmp_path):
        rows = [{"problem": "How many?", "answer": answer} for answer in (70, "588")]
        paths = lines(tmp_path / "I.jsonl", rows) + lines(tmp_path / "II.jsonl", rows[:1])
        assert competitions.aime25(paths) == [
            Problem("aime25-I-1", "How many?", "70", "aime25/I"),
            Problem("aime25-I-2", "How many?", "588", "aime25/I"),
            Problem("aime25-II-1", "How many?", "70", "aime25/II"),
        ]

    def test_amc23(self, tmp_path):
        rows = [
            {"id": 0, "problem": "How far?", "answer": 27.0},
            {"id": 17, "question": "What is a?", "answer": "-1.0"},
        ]
        assert competitions.amc23(lines(tmp_path / "test.jsonl", rows)) == [
            Problem("amc23-0", "How far?", "27", "amc23"),
            Problem("amc23-17", "What is a?", "-1", "amc23"),
        ]

    def test_minerva(self, tmp_path):
        row = {
            "problem": "How wide?",
            "solution": r"It is $\boxed{\frac{1}{2}}$ cm.",
            "type": "Introduction to Astronomy (8.282J Spring 2006)",
            "idx": 3,
        }
        (found,) = minerva.minerva(lines(tmp_path / "test.jsonl", [row]))
        assert (found.id, found.answer) == ("minerva-3", r"\frac{1}{2}")
        assert found.source == "minerva/Introduction to Astronomy"

    def test_dapo(self, tmp_path):
        english, chinese = "Find $a$.", "求 $a$。"
        wrapped = f"{dapo._BEFORE}\n\nFind $b$.\n\n{dapo._BEHIND}"
        rows = [
            (english, "1"), (chinese, "2"), (wrapped, "-3"), (f"{english}\n", "1"),
            ("Which?", "4"), ("Which? ", "5"), ("Last?", "6"),
        ]  # fmt: skip
        assert dapo.dapo([parquet(tmp_path / "dapo.parquet", rows)]) == [
            Problem("dapo-0", english, "1", "dapo_math_17k/en"),
            Problem("dapo-1", chinese, "2", "dapo_math_17k/zh"),
            Problem("dapo-2", "Find $b$.", "-3", "dapo_math_17k/en"),
            Problem("dapo-6", "Last?", "6", "dapo_math_17k/en"),
        ]

    def test_math(self, tmp_path):
        path = tmp_path / "MATH.tar"
        archive(path, {
            "MATH/train/algebra/10.json": (r"So $\boxed{10}$.", "Level 5"),
            "MATH/train/algebra/2.json": (r"So $\boxed 42$.", "Level ?"),
            "MATH/train/geometry/1.json": (r"$\boxed{1}$, or $\boxed{\text{(B)}}$.", "Level 1"),
            "MATH/test/algebra/1.json": (r"So $\fbox{7}$.", "Level 2"),
            "MATH/README.txt": ("", ""),
        })  # fmt: skip
        found = hendrycks.math("train")([path])
        assert [(one.id, one.answer, one.source) for one in found] == [
            ("math-train-algebra-2", "42", "math/algebra/level-?"),
            ("math-train-algebra-10", "10", "math/algebra/level-5"),
            ("math-train-geometry-1", r"\text{(B)}", "math/geometry/level-1"),
        ]
        assert found[1].solution == r"So $\boxed{10}$."
        (test,) = hendrycks.math("test")([path])
        assert (test.id, test.answer) == ("math-test-algebra-1", "7")

    @pytest.mark.parametrize(
        ("read", "row", "message"),
        [
            (gsm8k.converted("test"), {"q": "?"}, "x.jsonl, line 1 has no 'question'; it has q;"),
            (minerva.minerva, {"idx": 0, "problem": "?", "solution": "none", "type": "A"},
             r"x.jsonl, line 1 has no \\boxed{} in 'solution'"),
            (competitions.amc23, {"id": 1, "problem": "?", "answer": "few"},
             "has 'few' as 'answer', which is no integer"),
            (competitions.aime24, {"url": "elsewhere"}, "names no exam and problem in 'url'"),
            (hendrycks.math500, {"unique_id": "7"}, "has the name '7', which is not as test/"),
            (competitions.amc23, ["no", "object"], "x.jsonl, line 1: must be a JSON object"),
        ],
        ids=["no field", "no box", "no integer", "no exam", "no number", "no object"],
    )  # fmt: skip
    def test_rows_of_another_form_are_told(self, tmp_path, read, row, message):
        (tmp_path / "x.jsonl").write_text(json.dumps(row) + "\n")
        with pytest.raises(DataError, match=message):
            read([tmp_path / "x.jsonl"])

    def test_files_of_another_kind_are_told(self, tmp_path):
        path = tmp_path / "page"
        path.write_text("<!doctype html><p>Not found")
        for read, message in (
            (gsm8k.converted("test"), "this is a web page"),
            (dapo.dapo, "is no Parquet file"),
            (hendrycks.math("test"), "is not the archive of MATH"),
        ):
            with pytest.raises(DataError, match=f"page: {message}"):
                read([path])
        pq.write_table(pa.table({"text": ["?"]}), path)
        with pytest.raises(DataError, match=r"row 1 has no prompt\[-1\]\.content"):
            dapo.dapo([path])


def as_math500(problem):
    """A row as upstream has it."""
    _, subject, level = problem.source.split("/")
    return {
        "problem": problem.problem,
        "solution": problem.solution,
        "answer": problem.answer,
        "subject": subject.title(),
        "level": int(level.removeprefix("level-")),
        "unique_id": f"test/{subject}/{problem.id.rpartition('-')[2]}.json",
    }


def parquet(path, rows):
    """Statements and answers as the field's Parquet files hold them."""
    pq.write_table(pa.Table.from_pylist([
        {"prompt": [{"role": "user", "content": text}],
         "reward_model": {"ground_truth": answer, "style": "rule"},
         "extra_info": {"index": n}}
        for n, (text, answer) in enumerate(rows)
    ]), path)  # fmt: skip
    return path


def archive(path, members):
    with tarfile.open(path, "w") as tar:
        for name, (solution, level) in members.items():
            row = {"problem": "?", "level": level, "type": "Algebra", "solution": solution}
            data, entry = json.dumps(row).encode(), tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


# A data set of the fixtures, so that files by hand can be known by their checksum.
def small(fixtures, **changes):
    path = fixtures / "math500.jsonl"
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    given = {
        "rows": 40, "file": path.name, "sha256": sha256, "urls": ("https://127.0.0.1:9/a.jsonl",),
        "convert": hendrycks.math500, "content": sha256,
    } | changes  # fmt: skip
    return DataSet("small", "1.0.0", "", "", "", "MIT", {"test": Split(**given)})


def nobody(urls):
    raise urllib.error.URLError("nobody is there")


@pytest.fixture
def somebody(monkeypatch):
    monkeypatch.setattr(files, "_knock", lambda url: None)


class TestFiles:
    def test_by_hand(self, fixtures):
        found = files.read(small(fixtures), fixtures, nobody)
        assert found == {"test": read_problems(fixtures / "math500.jsonl")}

    def test_upstream_gives_the_same(self, fixtures, tmp_path, somebody):
        by_hand = files.read(small(fixtures), fixtures, nobody)
        rows = [as_math500(one) for one in by_hand["test"]]
        paths = lines(tmp_path / "test.jsonl", rows)
        assert files.read(small(fixtures), tmp_path / "empty", lambda urls: paths) == by_hand

    def test_upstream_that_has_changed_is_refused(self, fixtures, tmp_path, somebody):
        rows = [as_math500(one) for one in read_problems(fixtures / "math500.jsonl")]
        data = small(fixtures)
        found = lines(tmp_path / "a.jsonl", [{**rows[0], "answer": "7"}, *rows[1:]])
        expected = f"where {data.splits['test'].content} was expected: give math500.jsonl by hand"
        with pytest.raises(DataError, match=f"a.jsonl gives problems of the sha256 .* {expected}"):
            files.read(data, None, lambda urls: found)
        found = lines(tmp_path / "a.jsonl", rows[1:])
        with pytest.raises(DataError, match="gives 39 problems where 40 were expected"):
            files.read(data, None, lambda urls: found)

    def test_another_file_by_that_name_is_refused_by_both_checksums(self, fixtures, tmp_path):
        data, path = small(fixtures), tmp_path / "math500.jsonl"
        path.write_text("other\n")
        other = hashlib.sha256(b"other\n").hexdigest()
        known = data.splits["test"].sha256
        with pytest.raises(DataError, match=f"math500.jsonl: has the sha256 {other}, .* {known}:"):
            files.read(data, tmp_path, nobody)

    def test_upstreams_own_file_is_known_by_its_bytes(self, tmp_path, fixtures, somebody):
        rows = [as_math500(one) for one in read_problems(fixtures / "math500.jsonl")]
        (path,) = lines(tmp_path / "MATH.tar", rows)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        data = small(fixtures, file="MATH.tar", sha256=sha256, content=None)
        by_hand = files.read(data, tmp_path, nobody)
        assert len(by_hand["test"]) == 40
        assert files.read(data, None, lambda urls: [path]) == by_hand
        with pytest.raises(DataError, match="has the sha256"):
            files.read(data, None, lambda urls: [fixtures / "math500.jsonl"])

    def test_neither_is_one_line_that_says_what_to_do(self, tmp_path, somebody):
        with pytest.raises(DataError) as told:
            files.read(named.DATA_SETS["gsm8k"], tmp_path, nobody)
        assert str(told.value) == (
            f"gsm8k: no gsm8k_train.jsonl and no gsm8k_test.jsonl in {tmp_path}, and nothing from "
            "raw.githubusercontent.com (<urlopen error nobody is there>): put gsm8k_train.jsonl "
            "and gsm8k_test.jsonl into a folder and name it as manual_dir beside `use`, or as "
            "SAGE_DATA_DIR in the environment (docs/data.md says which files these are)"
        )


class TestLoad:
    def test_prepared_once_from_either_folder(self, fixtures, tmp_path):
        data, where = small(fixtures), {"data_dir": str(tmp_path)}
        found = named.load(data, environment={named.VARIABLE: str(fixtures)}, **where)
        assert found == {"test": read_problems(fixtures / "math500.jsonl")}
        # What is prepared needs neither files nor a network, as on the other hosts of a pod.
        assert named.load(data, environment={}, manual_dir="/no/where", **where) == found
        other = str(tmp_path / "other")
        assert named.load(data, data_dir=other, manual_dir=str(fixtures), environment={}) == found

    def test_the_network_is_asked_once(self, fixtures, tmp_path):
        # Port 9 of this machine answers nobody; TFDS alone would ask for minutes.
        told = r"no math500\.jsonl given by hand, and nothing from 127"
        with pytest.raises(DataError, match=told):
            named.load(small(fixtures), data_dir=str(tmp_path), environment={})

    def test_a_folder_that_is_not_there_is_told(self, fixtures, tmp_path):
        data, where = small(fixtures), str(tmp_path)
        with pytest.raises(DataError, match=r"^manual_dir /no/where: there is no such folder"):
            named.load(data, data_dir=where, manual_dir="/no/where")
        with pytest.raises(DataError, match=r"^SAGE_DATA_DIR /no: there is no such folder"):
            named.load(data, data_dir=where, environment={named.VARIABLE: "/no"})

    def test_prepared_data_that_are_others_are_told(self, fixtures, tmp_path):
        where: Any = {"data_dir": str(tmp_path), "manual_dir": str(fixtures)}
        named.load(small(fixtures), **where)
        other = small(fixtures, content="0" * 64)
        with pytest.raises(DataError, match=r"sage_jax_small/1\.0\.0: test holds problems of the "):
            named.load(other, **where)


def test_a_fingerprint_changes_with_version_and_checksum(fixtures):
    one = small(fixtures)
    others = [
        dataclasses.replace(one, version="1.0.1"),
        small(fixtures, content="0"),
        dataclasses.replace(one, name="b"),
    ]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 4
    assert one.fingerprint == small(fixtures, rows=39).fingerprint


@pytest.mark.parametrize("data", named.DATA_SETS.values(), ids=lambda data: data.name)
def test_every_data_set_says_what_it_is(data):
    assert all((data.description, data.homepage, data.citation, data.licence))
    for split in data.splits.values():
        assert re.fullmatch("[0-9a-f]{64}", split.sha256)
        # At a commit, or as the archive had it on a day: what lies there does not change.
        assert all(re.search("/[0-9a-f]{40}/|/web/[0-9]{14}id_/", url) for url in split.urls)
