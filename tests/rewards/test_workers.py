"""Workers that answer for any function: what they survive, and what they leave behind."""

import os
import sys
import time
from pathlib import Path

import pytest

from sage_jax.rewards import VerifierError, frames
from sage_jax.rewards.process import WorkerDied, WorkerProcess
from sage_jax.rewards.workers import WorkerPool

OWN = """
import os, subprocess, sys


def make(greeting):
    print(greeting)  # Goes nowhere.
    return lambda **question: {"said": globals()[question.pop("what")](**question)}


def tells(text):
    return text


def reads():
    return len(sys.stdin.read()) + len(subprocess.run(["cat"], capture_output=True).stdout)


def forks():
    os.fork()
    return "once"


def leaves_a_child(path):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(path, "w") as file:
        file.write(str(child.pid))
    os._exit(3)


def scribbles():
    for place in range(3, 16):
        try:
            os.write(place, b"\\0\\0\\0\\2no")
        except OSError:
            pass


def deaf():
    os.closerange(3, 100)
    while True:
        pass


def broken():
    raise ImportError("no such\\nthing")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder on the path, with a module of functions to ask."""
    path = tmp_path_factory.mktemp("own")
    (path / "asked_functions.py").write_text(OWN)
    sys.path.append(str(path))
    yield path
    sys.path.remove(str(path))


@pytest.fixture(scope="module")
def workers(folder):
    with WorkerPool(
        ("asked_functions:make", {"greeting": "hello"}),
        title="mine",
        num_workers=1,
        deadline_s=20.0,
    ) as pool:
        yield pool


def ask(pool, what, **question):
    return pool.ask({"what": what, **question}, lambda reply, seconds: reply).result()


def reason(pool, what, **question):
    return ask(pool, what, **question).get("reason")


def test_what_a_function_reads_is_empty(workers):
    assert ask(workers, "reads")["said"] == 0
    assert ask(workers, "tells", text="x" * 300_000)["said"] == "x" * 300_000


def test_a_fork_writes_no_second_answer(workers):
    assert [ask(workers, "forks")["said"], ask(workers, "tells", text="a")["said"]] == ["once", "a"]


def test_what_it_started_ends_with_a_worker(workers, tmp_path):
    assert reason(workers, "leaves_a_child", path=str(tmp_path / "pid")) == "crashed"
    child, until = int((tmp_path / "pid").read_text()), time.monotonic() + 60
    while (found := Path(f"/proc/{child}/stat")).exists():
        if found.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        assert time.monotonic() < until, "the child is left"
        time.sleep(0.01)


@pytest.mark.parametrize("what", ["scribbles", "deaf"])
def test_a_pipe_that_is_spoiled_is_a_crash(workers, what):
    assert reason(workers, what) == "crashed"
    assert ask(workers, "tells", text="a")["said"] == "a"


def test_what_json_does_not_hold_is_refused_and_harms_nothing(workers):
    with pytest.raises(TypeError, match="not JSON serializable"):
        ask(workers, "tells", text={1})
    assert ask(workers, "tells", text="a")["said"] == "a"


def test_a_result_that_cannot_be_read_harms_nothing(workers):
    with pytest.raises(KeyError):
        workers.ask({"what": "tells", "text": "a"}, lambda reply, _: reply["no"]).result()
    assert ask(workers, "tells", text="a")["said"] == "a"


def test_a_function_that_cannot_be_made_is_told_in_one_line(folder):
    with (
        WorkerPool(
            ("asked_functions:broken", {}), title="mine", num_workers=1, deadline_s=1.0
        ) as pool,
        pytest.raises(
            VerifierError, match=r"mine: a worker.*not start: ImportError: no such thing$"
        ),
    ):
        ask(pool, "tells", text="a")


def test_a_worker_that_takes_no_input_is_overdue(folder):
    settings = {"use": "asked_functions:make", "options": {"greeting": ""}, "memory_limit": 2**40,
                "recycle_after": 9, "alarm_s": 60.0}  # fmt: skip
    worker = WorkerProcess(settings)
    try:
        worker.wait_ready()
        os.kill(worker.pid, 19)  # It stops, and a pipe holds less than the question.
        asked = frames.encode({"what": "tells", "text": "x" * 3_000_000})
        with pytest.raises(Exception, match="it takes no input"):
            worker.ask(asked, deadline_s=0.05)
    finally:
        worker.kill()
    with pytest.raises(WorkerDied):
        worker.ask(asked, deadline_s=1.0)


def test_a_pool_gives_up_where_nothing_is_ever_answered(folder, tmp_path):
    options = {"title": "mine", "num_workers": 1, "deadline_s": 5.0, "give_up": 2}
    with WorkerPool(("asked_functions:make", {"greeting": ""}), **options) as pool:
        asked = {"what": "leaves_a_child", "path": str(tmp_path / "pid")}
        coming = [pool.ask(asked, lambda reply, _: reply["reason"]) for _ in range(3)]
        assert [one.result() for one in coming[:2]] == ["crashed"] * 2
        for late in (coming[2].result, lambda: pool.ask(asked, lambda *_: None)):
            with pytest.raises(VerifierError, match=r"mine: all of the first.*\(crashed 2\)"):
                late()
