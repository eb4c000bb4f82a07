"""What is no JSON Lines is told by what it is."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile

import pytest

from sage_jax.json_lines import JsonLinesError, each_line, read_lines

ROWS = [{"id": str(i), "problem": "1 + 1?", "answer": "2"} for i in range(3)]
PLAIN = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("problems.jsonl", PLAIN)
    return file.getvalue()


def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("problems.jsonl")
        entry.size = len(PLAIN)
        archive.addfile(entry, io.BytesIO(PLAIN))
    return file.getvalue()


OTHERS = {
    "Parquet": (b"PAR1" + b"\x15\x04" * 9 + b"PAR1", "this is a Parquet file; make JSON Lines"),
    "Arrow": (b"ARROW1\0\0" + b"\xff" * 9, "an Arrow file"),
    "Arrow stream": (b"\xff\xff\xff\xff\x98\x01", "an Arrow file"),
    "zip": (zipped(), "a zip archive"),
    "tar": (tarred(), "a tar archive"),
    "tar.gz": (gzip.compress(tarred(), mtime=0), "a tar archive"),
    "bzip2": (bz2.compress(PLAIN), "compressed by bzip2; unpack it"),
    "xz": (lzma.compress(PLAIN), "compressed by xz"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04", "compressed by zstd"),
    "pickle": (pickle.dumps(ROWS), "a pickle, which is never read"),
    "SQLite": (b"SQLite format 3\0" + b"\0" * 40, "an SQLite database"),
    "web page": (b"\n<!DOCTYPE html><html>Sign in</html>", "a web page"),
    "XML": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a web page"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "UTF-16": (PLAIN.decode().encode("utf-16"), "text in UTF-16; save it again as UTF-8"),
    "array": (json.dumps(ROWS).encode(), "one JSON array of 3; write one object a line"),
    "array over lines": (json.dumps(ROWS, indent=1).encode(), "one JSON array of 3"),
    "object over lines": (json.dumps({"rows": ROWS}, indent=1).encode(), "one JSON object over"),
    "CSV": (b"id,problem,answer\n1,1 + 1?,2\n", "this is a CSV table"),
    "CSV in quotes": (b'\xef\xbb\xbf"question";"answer"\r\n"1 + 1?";"2"\r\n', "a CSV table"),
    "TSV": (b"problem\tanswer\n1 + 1?\t2\n", "a TSV table"),
    "carriage returns": (PLAIN.replace(b"\n", b"\r"), "carriage returns alone"),
    "folder": (None, "Is a directory; name a file in it"),
}


@pytest.fixture(params=[read_lines, each_line])
def read(request):
    """At once and line by line."""
    return lambda path: [*request.param(path)]


@pytest.mark.parametrize("kind", OTHERS)
def test_others_are_told(tmp_path, kind, read):
    data, told = OTHERS[kind]
    path = tmp_path / "problems.jsonl"
    path.mkdir() if data is None else path.write_bytes(data)
    with pytest.raises(JsonLinesError) as caught:
        read(path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [
    PLAIN, PLAIN[:-1], b"\xef\xbb\xbf" + PLAIN, gzip.compress(PLAIN, mtime=0),
    gzip.compress(b"\xef\xbb\xbf" + PLAIN, mtime=0), PLAIN.replace(b"\n", b"\r\n"),
])  # fmt: skip
def test_json_lines_are_read_in_any_form(tmp_path, data, read):
    path = tmp_path / "problems.jsonl"
    path.write_bytes(data)
    assert [json.loads(line) for line in read(path)] == ROWS


@pytest.mark.parametrize("data", [b"", b"\n", b"[1]\n", b"hello, world\n", b'"id","x"\n', b"3\n"])
def test_what_is_not_known_is_left_to_the_reader(tmp_path, data, read):
    path = tmp_path / "problems.jsonl"
    path.write_bytes(data)
    assert read(path) == data.split(b"\n")[:-1]
