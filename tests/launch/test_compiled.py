"""The programs that runs of the suite share: whole ones alone, and no more than a bound."""

import importlib.util
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "launch" / "compiled.py"


@pytest.fixture(scope="module")
def compiled():
    spec = importlib.util.spec_from_file_location("compiled", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(folder, name, size=1000, *, used=None):
    path = folder / f"{name}-cache"
    path.write_bytes(zlib.compress(os.urandom(size)))
    if used is not None:
        os.utime(path, (used, used))
    return path


def names(folder):
    return {path.name.removesuffix("-cache") for path in folder.glob("*-cache")}


def test_a_run_finds_what_earlier_ones_compiled(compiled, tmp_path):
    first, second = compiled.open_run(tmp_path), compiled.open_run(tmp_path)
    program(first, "a")
    program(second, "a")  # Two runs at once may compile the same.
    program(second, "b")
    compiled.close_run(first, tmp_path)
    compiled.close_run(second, tmp_path)
    assert names(compiled.open_run(tmp_path)) == {"a", "b"}
    assert not first.exists()


def test_what_a_crash_cut_short_is_not_kept(compiled, tmp_path):
    run = compiled.open_run(tmp_path)
    data = program(run, "whole").read_bytes()
    for length in (0, 1, len(data) // 2, len(data) - 1):
        (run / f"cut-{length}-cache").write_bytes(data[:length])
    (run / "changed-cache").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    compiled.close_run(run, tmp_path)
    assert names(tmp_path) == {"whole"}


def test_those_unused_for_longest_go_first(compiled, tmp_path):
    for age in range(5):
        program(tmp_path, str(age), used=1e9 - age)
    compiled.close_run(compiled.open_run(tmp_path), tmp_path, most_bytes=3100)
    assert names(tmp_path) == {"0", "1", "2"}


def test_runs_that_never_closed_are_removed(compiled, tmp_path):
    left, going = compiled.open_run(tmp_path), compiled.open_run(tmp_path)
    os.utime(left, (0, 0))
    compiled.open_run(tmp_path)
    assert not left.exists()
    assert going.exists()


def test_the_command_line(tmp_path):
    def call(*words):
        return subprocess.run(
            [sys.executable, PATH, *words], capture_output=True, text=True,
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
        )  # fmt: skip

    run = Path(call("open").stdout.strip())
    assert run.parent == tmp_path / "sage-jax" / "compiled" / "runs"
    program(run, "a")
    assert call("close", run).returncode == 0
    assert names(tmp_path / "sage-jax" / "compiled") == {"a"}
    assert call("shut").stderr == "usage: compiled.py open | close FOLDER\n"
