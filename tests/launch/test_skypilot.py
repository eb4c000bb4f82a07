"""The SkyPilot script against a scripted sky, and its task, executed here."""

import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

TASK = yaml.safe_load((Path(__file__).parents[2] / "launch" / "skypilot.yaml").read_text())
OPTIONS = ["--name", "run", "--accelerator", "tpu-v5litepod-16", "--run_dir", "gs://bucket/run"]
TRAIN = ["train", "configs/tiny.yaml", *OPTIONS]


def variables(call: list[str]) -> dict[str, str]:
    pairs = [word.removeprefix("--env=").partition("=") for word in call if word[:6] == "--env="]
    return {name: value for name, _, value in pairs}


def test_the_task_is_what_skypilot_takes():
    """Field by field as in its schema; a variable that is null must be given."""
    assert set(TASK) == {"name", "workdir", "resources", "envs", "setup", "run"}
    assert TASK["resources"] == {"job_recovery": {"recover_on_exit_codes": [130, 143]}}
    assert TASK["envs"] == {"SAGE_EXTRA": "tpu", "SAGE_CONFIG": None, "SAGE_COMMAND": None}


@pytest.mark.parametrize(
    ("accelerator", "extra"), [("tpu-v5litepod-16", "tpu"), ("H100:8", "cuda")]
)
def test_a_job_is_launched(launch, accelerator, extra):
    more = ["--accelerator", accelerator, "--spot", "--infra", "gcp/us-west4", "--nodes", "2"]
    assert launch("skypilot.sh", *TRAIN, *more)[0] == 0
    (call,) = launch.calls()
    assert call[:5] == ["sky", "jobs", "launch", "--yes", "--name=run"]
    assert call[-1] == "launch/skypilot.yaml"
    given = {f"--gpus={accelerator}", "--use-spot", "--infra=gcp/us-west4", "--num-nodes=2"}
    assert given < set(call)
    assert variables(call) == {
        "SAGE_EXTRA": extra,
        "SAGE_CONFIG": "configs/tiny.yaml",
        "SAGE_COMMAND": "env bash launch/worker.sh run configs/tiny.yaml --run_dir gs://bucket/run",
    }


def test_dry_run_prints_what_is_executed(launch):
    words = [*TRAIN, "--pass", "--detach-run", "--", "--prompt", "it's a test"]
    (printed,) = launch("skypilot.sh", words[0], "--dry-run", *words[1:])[1].splitlines()
    assert launch("skypilot.sh", *words)[0] == 0
    assert [shlex.split(printed)] == launch.calls()


@pytest.mark.parametrize(
    ("accelerator", "distributed"), [("tpu-v6e-16", "auto"), ("H100:8", "10.0.0.1:8476,2,1")]
)
def test_the_task_trains(launch, trainer, accelerator, distributed):
    words = ["--prompt", "it's $HOME", "a\nb"]
    more = ["--accelerator", accelerator, "--env", "A=1 2", "--", *words]
    assert launch("skypilot.sh", *TRAIN, *more)[0] == 0
    record = trainer('printf "%s\\0" "$SAGE_DISTRIBUTED" "$A" "$@" > "$record"; exit 143')
    environment = launch.environment | variables(launch.calls()[0])
    environment |= {
        "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2", "SKYPILOT_NUM_NODES": "2",
        "SKYPILOT_NODE_RANK": "1",
    }  # fmt: skip
    done = subprocess.run(["bash", "-c", TASK["run"]], cwd=launch.checkout, env=environment)
    assert done.returncode == 143
    assert record.read_text().split("\0")[:-1] == [
        distributed, "1 2", "train", "configs/tiny.yaml", "--run_dir", "gs://bucket/run", *words,
    ]  # fmt: skip


def test_the_task_installs(launch):
    (launch.checkout / "launch" / "worker.sh").write_text('printf "%s|" "$@" > said\n')
    environment = launch.environment | {"SAGE_EXTRA": "cuda", "SAGE_CONFIG": "configs/tiny.yaml"}
    subprocess.run(["bash", "-c", TASK["setup"]], cwd=launch.checkout, env=environment, check=True)
    assert (launch.checkout / "said").read_text() == "install|cuda|configs/tiny.yaml|"


def test_a_config_from_elsewhere_is_refused(launch):
    far = launch.folder / "far.yaml"
    far.write_text("")
    status, _, error = launch("skypilot.sh", "train", str(far), *OPTIONS)
    assert status == 2
    assert "SkyPilot sends this folder, and it is not in it" in error


def test_status_logs_down(launch):
    for command in ("status", "logs", "down"):
        assert launch("skypilot.sh", command, *OPTIONS)[0] == 0
    assert [call[1:] for call in launch.calls()] == [
        ["jobs", "queue"], ["jobs", "logs", "--name=run"],
        ["jobs", "cancel", "--yes", "--name=run"],
    ]  # fmt: skip
