"""The SLURM script against a scripted sbatch, and its job, executed here."""

import os
import shlex
import signal

import pytest

OPTIONS = ["--name", "run", "--nodes", "2", "--gpus", "8", "--run_dir", "/shared/run"]
TRAIN = ["train", "configs/tiny.yaml", *OPTIONS]
SAVES = "trap 'exit 143' TERM; echo $$ > \"$record\"; while :; do sleep 0.05; done"


def test_a_job_is_submitted(launch):
    more = ["--time", "1:00:00", "--wait", "--pass", "--partition=gpu"]
    assert launch("slurm.sh", *TRAIN, *more)[0] == 0
    (call,) = launch.calls()
    assert call == [
        "sbatch", "--job-name=run", "--nodes=2", "--ntasks-per-node=8", "--gpus-per-node=8",
        "--time=1:00:00", "--wait", "--output=build/launch/run.log", "--open-mode=append",
        "--requeue", "--signal=B:USR1@300", "--partition=gpu", "launch/slurm.sbatch",
        "configs/tiny.yaml", "20",
        "exec env SAGE_DISTRIBUTED=auto bash launch/worker.sh run configs/tiny.yaml"
        " --run_dir /shared/run",
    ]  # fmt: skip
    assert (launch.checkout / "build" / "launch").is_dir()  # SLURM does not make it.


def test_dry_run_prints_what_is_executed(launch):
    words = [*TRAIN, "--", "--prompt", "it's a test"]
    printed = launch("slurm.sh", words[0], "--dry-run", *words[1:])[1].splitlines()
    assert launch("slurm.sh", *words)[0] == 0
    assert [shlex.split(line) for line in printed[1:]] == launch.calls()


def test_status_and_down(launch):
    for command in ("status", "down"):
        assert launch("slurm.sh", command, *OPTIONS)[0] == 0
    assert launch.calls() == [["squeue", "--me", "--name=run"], ["scancel", "--me", "--name=run"]]
    assert launch("slurm.sh", "logs", *OPTIONS, "--dry-run")[1] == (
        "tail --lines=+1 --follow=name --retry build/launch/run.log\n"
    )


@pytest.fixture
def job(launch):
    """Starts the job as SLURM would, with the words that were given to sbatch."""

    def start(*words: str, restarts: int = 0):
        assert launch("slurm.sh", *TRAIN, *words)[0] == 0
        launch.replies = {"srun": [{"play": True}]}
        launch.environment |= {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": str(restarts)}
        call = launch.calls()[0]
        return launch.started("slurm.sbatch", *call[call.index("launch/slurm.sbatch") + 1 :])

    return start


@pytest.mark.parametrize("status", [0, 1, 2, 137])
def test_the_job_ends_as_the_training(job, trainer, launch, status):
    record = trainer(f'printf "%s\\0" "$SAGE_DISTRIBUTED" "$A" "$@" > "$record"; exit {status}')
    with job("--env", "A=1 2", "--", "--prompt", "it's $HOME") as process:
        process.communicate(timeout=300)
    assert process.returncode == status
    assert record.read_text().split("\0")[:-1] == [
        "auto", "1 2", "train", "configs/tiny.yaml", "--run_dir", "/shared/run", "--prompt",
        "it's $HOME",
    ]  # fmt: skip
    assert [call[0] for call in launch.calls()] == ["sbatch", "srun"]


@pytest.mark.parametrize(("restarts", "again"), [(0, True), (19, True), (20, False)])
def test_before_its_time_is_out_it_saves_and_is_queued_again(
    job, trainer, launch, until, restarts, again
):
    record = trainer(SAVES)
    with job(restarts=restarts) as process:
        until(record.exists)
        process.send_signal(signal.SIGUSR1)
        _, error = process.communicate(timeout=300)
    assert process.returncode == 143
    requeued = ["scontrol", "requeue", "7"] in launch.calls()
    assert requeued == again
    assert ("time ran out again" in error) != again


def test_a_cancelled_job_is_not_queued_again(job, trainer, launch, until):
    """scancel sends SIGTERM to the tasks."""
    record = trainer(SAVES)
    with job() as process:
        until(record.exists)
        os.kill(int(until(record.read_text)), signal.SIGTERM)
        process.communicate(timeout=300)
    assert process.returncode == 143
    assert [call[0] for call in launch.calls()] == ["sbatch", "srun"]
