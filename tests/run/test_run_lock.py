"""One owner of a run folder, also after the owner was killed."""

import signal
import subprocess
import sys

import pytest

from sage_jax.run.run_lock import LockError, owned

HOLD = """
import sys, time
from pathlib import Path
from sage_jax.run.run_lock import owned
with owned(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """(folder, a process that owns it)."""
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield folder, child
        child.kill()


def test_a_second_start_is_told_who_is_there_and_a_kill_lets_go(holder):
    folder, child = holder
    with pytest.raises(LockError, match=rf"run: process {child.pid} on \S+ \(since .*\) trains in"):
        owned(folder).__enter__()
    assert (folder / ".owner.json").is_file()
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert (folder / ".owner.json").is_file()  # Left behind, and no hindrance.
    with owned(folder):
        pass


def test_a_run_that_never_began_leaves_no_folder(tmp_path):
    with owned(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()
    assert not (tmp_path / "run").exists()


def test_what_a_run_has_written_stays(tmp_path):
    with owned(tmp_path):
        (tmp_path / "metrics.jsonl").write_text("{}\n")
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "metrics.jsonl"}
