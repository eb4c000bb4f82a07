"""A checkout of its own for each test, and stand-in programs that write down their calls."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("gcloud", "xpk", "kubectl", "sky", "sbatch", "squeue", "scancel", "scontrol", "srun")
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "gc.auto=0")


@pytest.fixture(autouse=True)
def _listening():
    """A suite started in the background inherits that SIGINT is ignored, and would hand it on."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Launch:
    """Runs a launch script among stand-ins."""

    def __init__(self, folder: Path, checkout: Path):
        self.folder, self.checkout = folder, checkout
        self.replies: dict[str, Sequence[str | dict[str, Any]]] = {}
        (folder / "worker").mkdir()
        programs = folder / "programs"
        programs.mkdir()
        for name in PROGRAMS:
            path = programs / name
            stand_in = Path(__file__).with_name("stand_in.py")
            # The real gcloud is a shell that waits for a Python.
            how = "" if name == "gcloud" else "exec "
            path.write_text(f'#!/bin/sh\n{how}"{sys.executable}" -I -S "{stand_in}" {name} "$@"\n')
            path.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SAGE_")}
        self.environment = kept | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "STAND_IN": str(folder),
            "SAGE_POLL_SECONDS": "0.01",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    @contextlib.contextmanager
    def started(self, script: str, *words: str, cwd: Path | None = None):
        """The process of a launch script, in a process group of its own."""
        (self.folder / "replies.json").write_text(json.dumps(self.replies))
        process = subprocess.Popen(
            ["bash", str(self.checkout / "launch" / script), *words],
            cwd=cwd or self.checkout, env=self.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        with process:
            try:
                yield process
            finally:
                process.kill()

    def __call__(self, script: str, *words: str, cwd: Path | None = None):
        """(status, standard output, standard error)."""
        with self.started(script, *words, cwd=cwd) as process:
            out, error = process.communicate(timeout=300)
        return process.returncode, out, error

    def calls(self) -> list[list[str]]:
        """The calls of stand-ins so far, as words."""
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def left(self) -> dict[int, str]:
        """Processes that were started here and still live: their command lines."""
        mark = f"STAND_IN={self.folder}".encode()
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(process.name)] = line
            except OSError:
                continue
        return {number: line for number, line in found.items() if line}


def until(holds: Callable[[], Any], seconds: float = 300.0) -> Any:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not come to be")


@pytest.fixture(scope="session")
def committed(tmp_path_factory) -> Path:
    """A repository that holds the scripts and a config."""
    folder = tmp_path_factory.mktemp("committed")
    shutil.copytree(ROOT / "launch", folder / "launch")
    (folder / "configs").mkdir()
    (folder / "configs" / "tiny.yaml").write_text("name: tiny\n")
    (folder / "pyproject.toml").write_text("")
    (folder / ".gitignore").write_text("build/\n.venv/\n")
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "scripts")):
        subprocess.run([*GIT, *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def launch(tmp_path, committed) -> Iterator[Launch]:
    shutil.copytree(committed, tmp_path / "checkout")
    launch = Launch(tmp_path, tmp_path / "checkout")
    yield launch
    for number in launch.left():
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return until


@pytest.fixture
def trainer(launch) -> Callable[[str], Path]:
    """Puts a `sage-jax` into an environment of a checkout: bash code that has `$record`, a file."""

    def put(code: str, checkout: Path | None = None) -> Path:
        checkout = checkout or launch.checkout
        record = launch.folder / "trained"
        programs = checkout / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
        (programs / "sage-jax").write_text(f"#!/usr/bin/env bash\nrecord='{record}'\n{code}\n")
        (programs / "sage-jax").chmod(0o755)
        sums = subprocess.run(
            "cat pyproject.toml launch/constraints.txt | cksum", shell=True, check=True,
            cwd=launch.checkout, capture_output=True, text=True,
        ).stdout  # fmt: skip
        # make_environment leaves alone what has this stamp.
        extras = "cuda" if checkout == launch.checkout else "tpu"
        (checkout / ".venv" / "installed").write_text(f"{extras}\n{sums}")
        return record

    return put
