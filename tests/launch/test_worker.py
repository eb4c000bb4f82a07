"""What runs on a worker: a training that outlives the connection, and what is told of it."""

import os
import signal
import subprocess
import time

import pytest


@pytest.fixture
def call(launch):
    """Runs launch/worker.sh: (status, standard output)."""

    def run(*words: str):
        done = subprocess.run(
            ["bash", str(launch.checkout / "launch" / "worker.sh"), *words],
            cwd=launch.folder, env=launch.environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        return done.returncode, done.stdout

    return run


def told(call) -> str:
    """What `status` says after the name of the machine."""
    program, _, what = call("status")[1].split(maxsplit=2)
    assert program == "sage-worker"
    return what.strip()


@pytest.mark.parametrize("status", [0, 1, 2, 130, 143])
def test_a_detached_training_and_its_end(call, trainer, until, status):
    record = trainer(
        f'printf "%s\\0" "$@" > "$record"; echo first; echo second >&2;'
        f' until [ -e "$record.go" ]; do sleep 0.05; done; exit {status}'
    )
    assert told(call) == "absent"
    code, said = call("start", "tiny.yaml", "--run_dir", "a b", "")
    assert (code, said.endswith(": started\n")) == (0, True)
    assert told(call) == "running"
    record.with_name("trained.go").touch()
    assert call("log") == (0, "first\nsecond\n")  # It ends when the training has ended.
    what, number, when = told(call).split()
    assert (what, int(number)) == ("ended", status)
    assert abs(int(when) / 1e9 - time.time()) < 60
    assert record.read_text().split("\0")[:-1] == ["train", "tiny.yaml", "--run_dir", "a b", ""]
    assert call("log", "1") == (0, "second\n")


def test_started_twice_it_runs_once(call, trainer, launch, until):
    record = trainer('echo once >> "$record"; sleep 600')
    call("start", "tiny.yaml")
    until(record.exists)
    code, said = call("start", "tiny.yaml")
    assert (code, said.endswith(": running already\n")) == (0, True)
    assert record.read_text() == "once\n"
    call("stop")
    until(lambda: not launch.left())


def test_stop_lets_it_save(call, trainer, launch, until):
    trainer("trap 'echo saved; exit 143' TERM; echo ready; while :; do sleep 0.05; done")
    call("start", "tiny.yaml")
    until((launch.checkout / "build/worker/log").read_text)
    assert call("stop")[0] == 0
    assert told(call) == "stopped"
    assert call("log") == (0, "ready\nsaved\n")
    assert not launch.left()


def test_reap_does_not_wait_for_ever(call, trainer, launch, until):
    launch.environment["SAGE_STOP_SECONDS"] = "1"
    trainer("trap '' TERM; echo ready; while :; do sleep 0.05; done")
    call("start", "tiny.yaml")
    until((launch.checkout / "build/worker/log").read_text)
    assert call("reap")[0] == 0
    until(lambda: told(call) == "killed")
    until(lambda: not launch.left())


def test_killed_with_the_machine(call, trainer, launch, until):
    trainer("sleep 600")
    call("start", "tiny.yaml")
    until((launch.checkout / "build/worker/program").exists)
    recorder = int((launch.checkout / "build/worker/recorder").read_text())
    os.killpg(recorder, signal.SIGKILL)
    until(lambda: told(call) == "killed")
    # After a reboot the number may belong to another process.
    (launch.checkout / "build/worker/recorder").write_text(f"{os.getpid()}\n")
    assert told(call) == "killed"


def test_a_new_start_forgets_the_last(call, trainer, launch, until):
    record = trainer('echo x >> "$record"; exit $(wc -l < "$record")')
    for status in (1, 2):
        call("start", "tiny.yaml")
        call("log")
        until(lambda: told(call).startswith("ended"))
        assert told(call).split()[1] == str(status)
    assert record.read_text() == "x\nx\n"


def test_misuse(call):
    assert call() == (2, "")
    assert call("fly") == (2, "")
    assert call("run", "tiny.yaml")[0] != 0  # Nothing is installed.


def test_an_old_python_is_passed_over_for_one_that_uv_brings(launch):
    """The images of TPU virtual machines carry Python 3.10."""
    uv = launch.folder / "programs" / "uv"
    uv.write_text('#!/bin/sh\necho "$@" > uv-words\n')
    uv.chmod(0o755)
    code = "source launch/environment.sh; find_python() { return 1; }; make_venv"
    for more, status in (({}, 1), ({"GET_PYTHON": "1"}, 0)):
        done = subprocess.run(
            ["bash", "-euc", code], cwd=launch.checkout, env=launch.environment | more, timeout=60
        )
        assert done.returncode == status
        assert (launch.checkout / "uv-words").exists() == (status == 0)
    words = (launch.checkout / "uv-words").read_text()
    assert words == "venv --quiet --seed --python 3.12 .venv\n"
