"""The GKE script against a scripted xpk."""

import shlex
import subprocess

OPTIONS = [
    "--name", "run", "--cluster", "pool", "--project", "a-project", "--zone", "a-zone",
    "--accelerator", "v5litepod-256", "--run_dir", "gs://bucket/run",
]  # fmt: skip
PLACE = ["--cluster=pool", "--project=a-project", "--zone=a-zone"]
TRAIN = ["train", "configs/tiny.yaml", *OPTIONS]


def option(call: list[str], name: str) -> str:
    return next(word for word in call if word.startswith(f"--{name}=")).partition("=")[2]


def test_one_command_builds_creates_and_waits(launch):
    (launch.checkout / "not committed").write_text("")
    status, _, error = launch("gke.sh", *TRAIN, "--slices", "2", "--pass", "--spot")
    assert (status, error) == (0, "")
    create, wait = launch.calls()
    assert create[:3] == ["xpk", "workload", "create"]
    given = {*PLACE, "--workload=run", "--tpu-type=v5litepod-256", "--num-slices=2", "--spot"}
    assert given < set(create)
    assert option(create, "max-restarts") == "20"
    assert option(create, "base-docker-image") == "python:3.12"
    image = launch.checkout / option(create, "script-dir")
    assert (image / "configs" / "tiny.yaml").exists()
    assert (image / "launch" / "worker.sh").exists()
    assert not (image / "not committed").exists()
    assert wait == ["xpk", "workload", "list", *PLACE, "--wait-for-job-completion=run"]


def test_what_was_sent_before_is_not_sent_again(launch):
    left = launch.checkout / "build" / "launch" / "run" / "left over"
    left.parent.mkdir(parents=True)
    left.write_text("")
    assert launch("gke.sh", *TRAIN)[0] == 0
    assert not left.exists()


def test_the_end_of_the_workload_is_told(launch):
    launch.replies["xpk workload list"] = [{"status": 125}]
    assert launch("gke.sh", *TRAIN)[0] == 125
    launch.replies["xpk workload create"] = [{"status": 1}]
    assert launch("gke.sh", *TRAIN)[0] == 1
    assert [call[2] for call in launch.calls()] == ["create", "list", "create"]


def test_dry_run_prints_what_is_executed(launch):
    words = [*TRAIN, "--", "--prompt", "it's a test"]
    printed = launch("gke.sh", words[0], "--dry-run", *words[1:])[1]
    assert launch("gke.sh", *words)[0] == 0
    said = [shlex.split(line) for line in printed.splitlines()]
    assert [call for call in said if call[0] == "xpk"] == launch.calls()
    assert {call[0] for call in said} == {"mkdir", "git", "rm", "tar", "xpk"}


def test_the_command_trains_and_hands_signals_on(launch, trainer):
    """As xpk embeds it: in a subshell, which the training replaces."""
    words = ["--prompt", "it's $HOME", "{a}"]
    assert launch("gke.sh", *TRAIN, "--env", "A=1 2", "--", *words)[0] == 0
    create = launch.calls()[0]
    image = launch.checkout / option(create, "script-dir")
    record = trainer(
        'trap "exit 143" TERM; printf "%s\\0" "$SAGE_DISTRIBUTED" "$A" "$@" > "$record.part";'
        'mv "$record.part" "$record"; while :; do sleep 0.05; done',
        image,
    )
    script = f"""
      ({option(create, "command")}) & PID=$!
      until [ -e {record} ]; do sleep 0.05; done
      kill -TERM $PID; wait $PID"""
    done = subprocess.run(["bash", "-c", script], cwd=image, env=launch.environment, timeout=300)
    assert done.returncode == 143
    assert record.read_text().split("\0")[:-1] == [
        "auto", "1 2", "train", "configs/tiny.yaml", "--run_dir", "gs://bucket/run", *words,
    ]  # fmt: skip
    assert not launch.left()


def test_status_logs_down(launch):
    for command in ("status", "logs", "down"):
        assert launch("gke.sh", command, *OPTIONS)[0] == 0
    status, logs, down = launch.calls()
    assert status == ["xpk", "workload", "list", *PLACE, "--filter-by-job=^run$"]
    assert logs[:2] == ["kubectl", "logs"]
    assert "jobset.sigs.k8s.io/jobset-name=run," in option(logs, "selector")
    assert down == ["xpk", "workload", "delete", "--workload=run", *PLACE, "--force"]
