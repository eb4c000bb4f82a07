"""The report and the command."""

import dataclasses
import io
import json

import pytest
from rich.console import Console

from sage_jax import cli
from sage_jax import config as configs
from sage_jax.plan import as_json, write
from sage_jax.plan.chips import CHIPS


@pytest.fixture
def path(tmp_path, small):
    file = tmp_path / "small.yaml"
    file.write_text(configs.dump(small))
    return str(file)


def run(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["plan", *arguments])
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


@pytest.fixture(autouse=True)
def started(monkeypatch):
    """JAX is up already, with the devices that `prepare` would ask for."""
    monkeypatch.setattr("sage_jax.plan.prepare", lambda name: None)


def test_json_of_a_config_that_fits(path, capsys, monkeypatch, plan):
    monkeypatch.setattr("sage_jax.plan.make_plan", lambda *_, **__: plan)
    status, out, _ = run([path, "--json"], capsys)
    said = json.loads(out)
    assert status == 0
    assert said["fits"]
    assert said["devices"] == 8
    assert [step["name"] for step in said["steps"]] == ["rollout", "logprobs", "update"]
    update = said["steps"][2]
    assert update["memory"]["peak"] > update["memory"]["arguments"]
    assert update["work"]["update"]["sent"]["all-reduce"] > 0
    assert set(said["steps"][0]["work"]) == {"rollout: prefill", "rollout: decode, 7 tokens"}


def test_tables_of_a_config_that_does_not_fit(path, capsys):
    seven = ["--model.source", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "--task.use",
             "arithmetic", "--warmup.steps", "0", "--topology", "a100:8"]  # fmt: skip
    status, out, _ = run([path, *seven], capsys)
    assert status == 1
    assert "does not fit" in out
    assert "What would help most" in out
    assert "Memory is by formula" in out


def test_what_brackets_hold_is_printed(plan):
    reason = "libtpu is not installed (pip install 'sage-jax[tpu]')"
    topology = dataclasses.replace(plan.topology, compiles=False, reason=reason)
    out = io.StringIO()
    estimated = dataclasses.replace(plan, topology=topology, estimated=True)
    write(estimated, Console(file=out, width=120))
    assert reason in out.getvalue()


ARMS = {"plain": {"guide": "none"}, "large": {"rollout": {"num_prompts": 32}}}


@pytest.mark.parametrize(
    ("arguments", "planned", "prompts", "told"),
    [
        ([], "small", 8, "--arm NAME plans one of plain, large"),
        (["--arm", "plain"], "plain", 8, ""),
        (["--arm", "large"], "large", 32, ""),
    ],
)
def test_the_base_or_one_of_its_arms(
    arguments, planned, prompts, told, tmp_path, small, capsys, monkeypatch, plan
):
    def make(config, name, **_):
        assert (config.name, config.rollout.num_prompts) == (planned, prompts)
        return plan

    monkeypatch.setattr("sage_jax.plan.make_plan", make)
    path = tmp_path / "armed.yaml"
    path.write_text(configs.dump(configs.override(small, {"arms": ARMS})))
    # Overrides are of what the arms start from.
    status, _, err = run([str(path), "--json", "--rollout.num_prompts", "8", *arguments], capsys)
    assert status == 0
    assert told in err
    assert bool(told) == bool(err)


def test_an_arm_that_is_not_there(tmp_path, small, path, capsys):
    armed = tmp_path / "armed.yaml"
    armed.write_text(configs.dump(configs.override(small, {"arms": ARMS})))
    _, _, err = run([str(armed), "--arm", "plane"], capsys)
    assert err == "sage-jax: there is no arm 'plane' (perhaps plain?); there are plain, large\n"
    _, _, err = run([path, "--arm", "plain"], capsys)
    assert err == "sage-jax: there is no arm 'plain'; this config has none\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--topology", "v9:4x4"], "no chip 'v9'"),
        (["--topology", "cpu:8", "--rollout.num_prompts", "9"], "not divisible by the 8 devices"),
        (["--mesh.topology", ""], "names no slice"),
        (["--topology", "cpu:8", "--mesh.data", "4"], "take 4 of the slice's 8 devices"),
    ],
)
def test_mistakes_are_one_line(path, arguments, message, capsys):
    status, out, err = run([path, *arguments], capsys)
    assert status == 1
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_json_names_figures_and_assumptions(plan):
    said = as_json(plan)
    assert said["chip"]["name"] == "cpu"
    assert "estimates, not measurements" in said["assumptions"]
    json.dumps(said)


def test_tables_of_a_config_that_fits(path, capsys, monkeypatch, plan):
    monkeypatch.setattr("sage_jax.plan.make_plan", lambda *_, **__: plan)
    status, out, _ = run([path], capsys)
    assert status == 0
    assert "It fits." in out
    assert "all-reduce" in out
    assert "chip-hours" not in out  # Of a CPU no rate is known.


def test_the_cost_of_the_run_is_a_line(plan):
    known = dataclasses.replace(plan.topology, chip=CHIPS["v5e"])
    out = io.StringIO()
    write(dataclasses.replace(plan, topology=known), Console(file=out, width=240))
    line = next(line for line in out.getvalue().splitlines() if "chip-hours" in line)
    assert "for 100 steps" in line
    assert "on 8 devices" in line
    assert "lower bound" in out.getvalue()
