"""The Cloud TPU script against a scripted gcloud, and against one worker that is really there."""

import os
import shlex
import signal

import pytest

PLACE = ["--project=a-project", "--zone=a-zone"]
OPTIONS = [
    "--name", "run", "--project", "a-project", "--zone", "a-zone", "--accelerator", "v5litepod-16",
    "--runtime_version", "v2-alpha-tpuv5-lite", "--run_dir", "gs://bucket/run",
]  # fmt: skip
TRAIN = ["train", "configs/tiny.yaml", *OPTIONS]
NOT_FOUND = {"status": 1, "err": "ERROR: (gcloud.compute.tpus) NOT_FOUND: Resource not found\n"}
BROKEN = {"status": 255, "err": "ERROR: connection lost\n"}


def line(what: str, worker: int = 0) -> str:
    return f"sage-worker host-{worker} {what}"


ABSENT, RUNNING, DONE = line("absent"), line("running"), line("ended 0 5")


@pytest.fixture
def cloud(launch):
    """A TPU that comes at once, and a training that ends well."""
    launch.replies = {
        "describe queued-resources": [NOT_FOUND, "ACTIVE"],
        "describe tpu-vm": ["READY"],
        "ssh status": [ABSENT, RUNNING, DONE],
        "ssh log": ["step 1"],
    }
    return launch


def did(launch) -> list[str]:
    """What was called, in short: create, delete, scp, or the verb given to workers."""
    short = []
    for call in launch.calls():
        if call[4] == "ssh":
            command = next(word for word in call if word.startswith("--command="))
            short.append(command.partition("worker.sh ")[2].split()[0])
        elif call[4] != "describe":
            short.append(call[4])
    return short


BEGINNING = ["create", "status", "scp", "install", "start"]


def test_one_command_does_all(cloud):
    status, out, error = cloud("cloud_tpu.sh", *TRAIN, "--spot")
    assert (status, out) == (0, "step 1\n"), error
    assert did(cloud) == [*BEGINNING, "status", "log", "status", "delete"]
    calls = cloud.calls()
    create = next(call for call in calls if "create" in call)
    assert create[5:] == [
        "run", *PLACE, "--quiet", "--node-id=run", "--accelerator-type=v5litepod-16",
        "--runtime-version=v2-alpha-tpuv5-lite", "--spot",
    ]  # fmt: skip
    start = next(call for call in calls if "worker.sh start" in call[-1])
    assert "--worker=all" in start
    assert start[-1] == (
        "--command=cd sage_jax && env SAGE_DISTRIBUTED=auto bash launch/worker.sh start"
        " configs/tiny.yaml --run_dir gs://bucket/run"
    )
    log = next(call for call in calls if "worker.sh log" in call[-1])
    assert "--worker=0" in log
    assert "the training ended with status 0" in error
    assert "costs money" not in error
    assert not cloud.left()


def test_dry_run_prints_what_is_executed(cloud):
    words = [*TRAIN, "--reserved", "--pass", "--internal-ips"]
    training = ["--", "--name", "it's a test", "--dry-run"]
    status, printed, error = cloud("cloud_tpu.sh", *words, "--dry-run", *training)
    assert (status, error) == (0, "")
    assert cloud.calls() == []
    assert cloud("cloud_tpu.sh", *words, *training)[0] == 0
    said = [shlex.split(one) for one in printed.splitlines()]
    assert [call for call in said if call[0] == "gcloud"] == cloud.calls()
    # The rest is done here, by git; pasted into a shell it makes the archive that was sent.
    here = [call for call in said if call[0] != "gcloud"]
    assert [call[:2] for call in here] == [["mkdir", "-p"], ["git", "archive"]]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["up"], ["create"]),
        (["install", "configs/tiny.yaml"], ["scp", "install"]),
        (["run", "configs/tiny.yaml"], ["start"]),
        (["status"], ["status"]),
        (["logs"], ["log"]),
        (["stop"], ["stop"]),
        (["down"], ["delete"]),
    ],
)
def test_each_command_alone(cloud, command, expected):
    dry = cloud("cloud_tpu.sh", *command, *OPTIONS, "--dry-run")
    assert dry[0] == 0
    assert cloud("cloud_tpu.sh", *command, *OPTIONS)[0] == 0
    assert did(cloud) == expected
    printed = [shlex.split(one) for one in dry[1].splitlines()]
    assert [call for call in printed if call[0] == "gcloud"][-1] == cloud.calls()[-1]


def test_it_waits_in_the_queue_and_says_so(cloud):
    cloud.replies["describe queued-resources"] = [
        NOT_FOUND, "CREATING", "ACCEPTED", "WAITING_FOR_RESOURCES", "WAITING_FOR_RESOURCES", BROKEN,
        "PROVISIONING", "ACTIVE",
    ]  # fmt: skip
    cloud.replies["describe tpu-vm"] = ["CREATING", "READY"]
    status, _, error = cloud("cloud_tpu.sh", *TRAIN)
    assert status == 0
    assert did(cloud) == [*BEGINNING, "status", "log", "status", "delete"]
    states = [one.split()[-1] for one in error.splitlines() if one.startswith("cloud_tpu.sh: run:")]
    assert states == [
        "ABSENT", "CREATING", "ACCEPTED", "WAITING_FOR_RESOURCES", "PROVISIONING", "CREATING",
        "READY",
    ]  # fmt: skip


def test_a_state_that_cannot_be_read_at_first_is_an_error(cloud):
    cloud.replies["describe queued-resources"] = [{"status": 1, "err": "ERROR: not logged in\n"}]
    status, _, error = cloud("cloud_tpu.sh", *TRAIN)
    assert status == 1
    assert error.startswith("ERROR: not logged in\n")
    assert "the state of run cannot be read" in error
    assert did(cloud) == []


def test_a_refused_request_is_an_error(cloud):
    create = "gcloud compute tpus queued-resources create"
    cloud.replies[create] = [{"status": 1, "err": "ERROR: quota\n"}]
    status, _, error = cloud("cloud_tpu.sh", *TRAIN)
    assert status == 1
    assert "run was not created" in error
    assert did(cloud) == ["create"]


def test_what_an_earlier_run_lost_is_deleted_first(cloud):
    cloud.replies["describe queued-resources"] = ["SUSPENDED", NOT_FOUND, "ACTIVE"]
    assert cloud("cloud_tpu.sh", "up", *OPTIONS)[0] == 0
    assert did(cloud) == ["delete", "create"]


def test_a_request_that_fails_twice_is_an_error(cloud):
    cloud.replies["describe queued-resources"] = [NOT_FOUND, "FAILED", NOT_FOUND, "FAILED"]
    status, _, error = cloud("cloud_tpu.sh", "up", *OPTIONS)
    assert status == 1
    assert did(cloud) == ["create", "delete", "create"]
    assert "the request came to nothing" in error


@pytest.mark.parametrize("queue", ["SUSPENDED", "SUSPENDING", "FAILED", "ACTIVE"])
def test_preemption_is_survived(cloud, queue):
    cloud.replies |= {
        "describe queued-resources": [NOT_FOUND, "ACTIVE", "ACTIVE", queue, NOT_FOUND, "ACTIVE"],
        "describe tpu-vm": ["READY", "READY", "READY"],
        "ssh status": [ABSENT, RUNNING, RUNNING, DONE],
        "ssh log": [BROKEN, "step 2"],
    }
    if queue == "ACTIVE":  # The request does not know yet that the machines are gone.
        cloud.replies["describe tpu-vm"] = ["READY", "READY", "PREEMPTED", "READY"]
    status, out, error = cloud("cloud_tpu.sh", *TRAIN, "--spot")
    assert (status, out) == (0, "step 2\n")
    again = ["delete", "create", "scp", "install", "start"]
    assert did(cloud) == [*BEGINNING, "status", "log", *again, "status", "log", "status", "delete"]
    assert "lost; restart 1" in error
    creates = [call for call in cloud.calls() if call[4] == "create"]
    assert creates[0] == creates[1]
    starts = [call for call in cloud.calls() if "worker.sh start" in call[-1]]
    assert starts[0] == starts[1]


def test_a_request_that_someone_deleted_is_made_again(cloud):
    cloud.replies["describe queued-resources"] = [
        NOT_FOUND,
        "ACTIVE",
        NOT_FOUND,
        NOT_FOUND,
        "ACTIVE",
    ]
    cloud.replies["ssh status"] = [ABSENT, RUNNING, DONE]
    status, _, error = cloud("cloud_tpu.sh", *TRAIN)
    assert status == 0
    assert "absent; restart 1" in error
    assert did(cloud)[:9] == [*BEGINNING, "create", "scp", "install", "start"]


def test_restarts_are_bounded(cloud):
    cloud.replies["ssh status"] = [ABSENT, line("ended 137 5")]
    status, _, error = cloud("cloud_tpu.sh", *TRAIN, "--max_restarts", "3")
    assert status == 1
    assert did(cloud).count("start") == 4
    assert "interrupted again; --max_restarts allowed 3" in error
    assert "costs money" in error
    assert "bash launch/cloud_tpu.sh down --name run --project=a-project --zone=a-zone" in error


# Status lines of all workers, and what becomes of the run.
@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        (["ended 0 9", "ended 0 8"], 0),
        (["ended 1 9", "ended 1 8"], 1),
        (["ended 2 9", "ended 2 8"], 2),
        (["ended 0 9", "ended 1 8"], 1),
        # The first to end is the cause.
        (["ended 1 1700000001000000000", "ended 137 1700000000000000000"], "again"),
        (["ended 134 1700000001000000000", "ended 1 1700000000000000000"], 1),
        (["ended 130 9", "ended 130 8"], "again"),
        (["ended 143 9", "ended 0 8"], "again"),
        (["ended 1 9", "killed"], "again"),
        (["ended 1 9", "absent"], "again"),
        (["absent", "absent"], "again"),
        (["stopped", "stopped"], 130),
        (["stopped", "ended 1 5"], 130),
    ],
)
def test_how_the_training_ended(cloud, lines, outcome):
    ended = "".join(f"{line(what, i)}\n" for i, what in enumerate(lines))
    cloud.replies["ssh status"] = [ABSENT, {"out": f"a banner\n{ended}"}, DONE]
    status, _, error = cloud("cloud_tpu.sh", *TRAIN)
    if outcome == "again":
        assert status == 0
        again = ["status", "log", "scp", "install", "start"]
        assert did(cloud) == [*BEGINNING, *again, "status", "log", "delete"]
    else:
        assert status == outcome
        assert did(cloud) == [*BEGINNING, "status", "log", "delete"]
        assert f"the training ended with status {outcome}" in error


def test_keep_leaves_it_there_and_says_so(cloud):
    status, _, error = cloud("cloud_tpu.sh", *TRAIN, "--keep")
    assert status == 0
    assert "delete" not in did(cloud)
    assert "run is there and costs money" in error


def test_a_training_that_runs_already_is_followed(cloud):
    cloud.replies |= {
        "describe queued-resources": ["ACTIVE"],
        "ssh status": [RUNNING, RUNNING, DONE],
    }
    status, _, _ = cloud("cloud_tpu.sh", *TRAIN)
    assert status == 0
    assert did(cloud) == ["status", "status", "log", "status", "delete"]


def test_watch_leaves_the_tpu(cloud):
    cloud.replies |= {"describe queued-resources": ["ACTIVE"], "ssh status": [RUNNING, DONE]}
    status, _, error = cloud("cloud_tpu.sh", "watch", *TRAIN[1:])
    assert status == 0
    assert did(cloud) == ["status", "log", "status"]
    assert "costs money" in error


def test_a_lost_connection_is_taken_up_again(cloud):
    cloud.replies["ssh status"] = [ABSENT, RUNNING, BROKEN, RUNNING, DONE]
    cloud.replies["ssh log"] = [BROKEN, "step 7"]
    status, out, _ = cloud("cloud_tpu.sh", *TRAIN)
    assert (status, out) == (0, "step 7\n")
    assert did(cloud) == [
        *BEGINNING,
        "status",
        "log",
        "status",
        "status",
        "log",
        "status",
        "delete",
    ]
    logs = [call[-1].split()[-1] for call in cloud.calls() if "worker.sh log" in call[-1]]
    assert logs == ["+1", "20"]


def test_out_of_reach_nothing_is_deleted(cloud):
    cloud.environment["SAGE_PATIENCE"] = "4"
    cloud.replies["ssh status"] = [ABSENT, RUNNING, BROKEN]
    status, _, error = cloud("cloud_tpu.sh", *TRAIN)
    assert status == 1
    assert did(cloud) == [*BEGINNING, "status", "log", *["status"] * 4]
    assert "run cannot be reached; watch it again later" in error
    assert "costs money" in error


def test_stragglers_are_ended(cloud):
    cloud.environment["SAGE_PATIENCE"] = "3"
    some = {"out": f"{line('ended 137 5')}\n{line('running', 1)}\n"}
    both = {"out": f"{line('ended 137 5')}\n{line('ended 137 9', 1)}\n"}
    cloud.replies["ssh status"] = [ABSENT, some, some, some, both, DONE]
    status, _, error = cloud("cloud_tpu.sh", *TRAIN)
    assert status == 0
    assert did(cloud) == [
        *BEGINNING, "status", "status", "status", "reap", "status", "log", "scp", "install",
        "start", "status", "log", "delete",
    ]  # fmt: skip
    assert "some workers have ended and others have not" in error


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGTERM, False)],
)
def test_stopped_it_leaves_nothing_running(cloud, until, number, whole_group):
    """Ctrl-C reaches all of a terminal's group, `kill` the script alone."""
    cloud.replies["ssh log"] = [{"out": "step 1\n", "hang": True}]
    with cloud.started("cloud_tpu.sh", *TRAIN) as process:
        until((cloud.folder / "hanging").exists)
        assert len(cloud.left()) >= 3
        if whole_group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, error = process.communicate(timeout=300)
    assert process.returncode == 128 + number
    assert "a training that runs goes on" in error
    until(lambda: not cloud.left())
    assert did(cloud)[-1] == "log"


def test_stopped_while_it_waits(cloud, until):
    cloud.environment["SAGE_POLL_SECONDS"] = "600"
    cloud.replies["describe queued-resources"] = [NOT_FOUND, "ACCEPTED"]
    with cloud.started("cloud_tpu.sh", *TRAIN) as process:
        until(lambda: any("sleep" in one for one in cloud.left().values()))
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "costs money" in error
    until(lambda: not cloud.left())


def test_to_a_worker_and_back(launch, trainer, committed):
    """Committed code, config and files arrive; the training sees its words; its end is told."""
    worker = launch.folder / "worker" / "sage_jax"
    record = trainer(
        'printf "%s\\0" "$SAGE_DISTRIBUTED" "$A" "$PWD" "$@" > "$record"; echo said; exit 0', worker
    )
    play = [{"play": True}]
    launch.replies = {
        "describe queued-resources": [NOT_FOUND, "ACTIVE"],
        "describe tpu-vm": ["READY"],
        **{f"ssh {verb}": play for verb in ("status", "install", "start", "log")},
        "gcloud compute tpus tpu-vm scp": play,
    }
    checkout, outside = launch.checkout, launch.folder / "far away"
    (checkout / "configs" / "tiny.yaml").write_text("name: changed\n")
    (checkout / "not committed").write_text("")
    (checkout / "data").mkdir()
    (checkout / "data" / "x.jsonl").write_text("{}\n")
    outside.mkdir()
    (outside / "my file").write_text("far\n")
    words = ["--prompt", 'it\'s "a" $HOME `id`', "", "a\nb", "--x=*"]
    status, out, error = launch(
        "cloud_tpu.sh", *TRAIN, "--env", "A=1 2", "--file", "data/x.jsonl", "--file",
        str(outside / "my file"), "--", *words,
    )  # fmt: skip
    assert (status, "said\n" in out) == (0, True), (out, error)
    assert record.read_text().split("\0")[:-1] == [
        "auto", "1 2", str(worker), "train", "configs/tiny.yaml", "--run_dir", "gs://bucket/run",
        *words,
    ]  # fmt: skip
    assert (worker / "configs" / "tiny.yaml").read_text() == "name: changed\n"
    assert (worker / "data" / "x.jsonl").read_text() == "{}\n"
    assert (worker / "sent" / "my file").read_text() == "far\n"
    assert (worker / "launch" / "worker.sh").exists()
    assert not (worker / "not committed").exists()


def test_a_config_from_elsewhere_arrives_too(launch):
    far = launch.folder / "far.yaml"
    far.write_text("name: far\n")
    status, out, _ = launch("cloud_tpu.sh", "train", str(far), *OPTIONS, "--dry-run")
    assert status == 0
    assert f"--prefix=sent/ --add-file={far} --prefix= HEAD" in out
    assert "worker.sh start sent/far.yaml" in out
