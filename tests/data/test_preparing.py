"""Data are prepared whole or not at all, by one of those who want them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from sage_jax.data import DataError, Problem, preparing
from sage_jax.data.builders import Recipe

PROBLEMS = [Problem(f"q{n}", f"{n} + 2?", str(n + 2), "sums", extra={"n": n}) for n in range(5)]


def recipe(read=lambda manager: {"train": PROBLEMS, "test": PROBLEMS[:2]}, version="1.0.0"):
    return Recipe("sums", version, read, licence="MIT", citation="@nobody")


class Breaking(list):
    """Problems that end in the middle, as those of a process that is killed."""

    def __iter__(self):
        yield from PROBLEMS[:3]
        raise RuntimeError("out of memory")


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_every_split_with_what_is_known_of_it(tmp_path):
    assert preparing.read(recipe(), data_dir=str(tmp_path)) == {
        "train": PROBLEMS,
        "test": PROBLEMS[:2],
    }
    home = tmp_path / "sums" / "1.0.0"
    assert home == preparing.folder(recipe(), str(tmp_path))
    assert (home / "LICENSE").read_text() == "MIT"
    assert "@nobody" in (home / "dataset_info.json").read_text()


def test_another_version_lies_beside_it(tmp_path):
    preparing.read(recipe(), data_dir=str(tmp_path))
    newer = recipe(lambda manager: {"train": PROBLEMS[:1]}, "1.0.1")
    assert preparing.read(newer, data_dir=str(tmp_path)) == {"train": PROBLEMS[:1]}
    assert names(tmp_path / "sums") == ["1.0.0", "1.0.1"]


def test_what_breaks_in_the_middle_leaves_nothing(tmp_path):
    broken = recipe(lambda manager: {"train": Breaking(PROBLEMS)})
    with pytest.raises(RuntimeError, match="out of memory"):
        preparing.read(broken, data_dir=str(tmp_path))
    assert names(tmp_path / "sums") == []
    assert preparing.read(recipe(), data_dir=str(tmp_path))["train"] == PROBLEMS


def test_what_a_killed_process_left_is_not_read_and_removed(tmp_path):
    preparing.read(recipe(), data_dir=str(tmp_path))
    # As it lies there when the process dies before it is moved to its name.
    left = tmp_path / "sums" / "incomplete.ABC123_1.0.0"
    (tmp_path / "sums" / "1.0.0").rename(left)
    (left / "sums-train.array_record-00000-of-00001").write_bytes(b"half")
    assert preparing.read(recipe(), data_dir=str(tmp_path))["train"] == PROBLEMS
    assert names(tmp_path / "sums") == ["1.0.0"]


@pytest.mark.parametrize("damage", ["dataset_info.json", "sums-test.array_record-00000-of-00001"])
def test_what_was_damaged_since_is_told(tmp_path, damage):
    preparing.read(recipe(), data_dir=str(tmp_path))
    (tmp_path / "sums" / "1.0.0" / damage).write_bytes(b"")
    with pytest.raises(DataError, match=r"1\.0\.0: the prepared data cannot be read: .*; remove "):
        preparing.read(recipe(), data_dir=str(tmp_path))


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        DataError, match="file/sums: data cannot be prepared there: Not a directory"
    ):
        preparing.read(recipe(), data_dir=str(tmp_path / "file"))


def test_of_two_that_race_one_prepares(tmp_path, monkeypatch):
    calls, both = [], threading.Barrier(2)

    class Watched(FileLock):
        def __enter__(self):
            both.wait(timeout=60)  # Neither is there when the other looks.
            return super().__enter__()

    def read(manager):
        calls.append(manager)
        return {"train": PROBLEMS}

    monkeypatch.setattr(preparing, "FileLock", Watched)
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(preparing.read, recipe(read), data_dir=str(tmp_path)) for _ in range(2)
        ]
        assert [one.result()["train"] for one in asked] == [PROBLEMS] * 2
    assert len(calls) == 1


@pytest.mark.parametrize("first", [True, False])
def test_other_processes_wait_for_the_first(tmp_path, monkeypatch, first):
    preparing.read(recipe(), data_dir=str(tmp_path))
    done = []
    monkeypatch.setattr(preparing.hosts, "is_main", lambda: first)
    monkeypatch.setattr(preparing.hosts, "barrier", lambda: done.append("wait"))
    monkeypatch.setattr(preparing, "_prepare", lambda *given: done.append("prepare"))
    preparing.read(recipe(), data_dir=str(tmp_path))
    assert done == (["prepare", "wait", "wait"] if first else ["wait", "prepare", "wait"])
