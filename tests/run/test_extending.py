"""The page docs/extending.md: its files and configs, trained with and resumed."""

import dataclasses
import json
import re
import typing
from pathlib import Path

import numpy as np
import pages
import pytest
from runs import StopAt, entries

from sage_jax import cli, parts, setup, yaml_text
from sage_jax import config as configs
from sage_jax.run import arms, events
from sage_jax.run.inputs import InputError
from sage_jax.run.loop import train
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import Stopped, StopRequest
from sage_jax.setup import objective

ROOT = Path(__file__).parents[2]
PAGE = pages.text("docs/extending.md")
FILES = pages.files("docs/extending.md")
# The first shows ways to write one line.
BLOCKS = [yaml_text.read(text) for text in pages.blocks("docs/extending.md", "yaml")[1:]]


@pytest.fixture
def config(make_words_config, folder_of_ones_own):
    changes = {}
    for block in BLOCKS:
        changes = configs.merge(changes, block)
    changes["listeners"][0]["file"] = str(folder_of_ones_own / "stopped.txt")
    return make_words_config(changes | {"train": {"steps": 2}})


def test_the_page_has_what_it_promises():
    kinds = ("guides", "surrogates", "estimators", "gates", "reductions", "advantages",
             "rewards", "tasks", "listeners")  # fmt: skip
    assert set(FILES) == {f"my_{kind}.py" for kind in kinds}
    assert len(pages.blocks("docs/extending.md", "python")) == len(kinds)
    assert len(BLOCKS) == len(kinds)


def test_the_table_of_events_has_all_of_them():
    table = re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", PAGE, flags=re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", fields)) for name, fields in table}
    kinds = typing.get_args(events.Event)
    assert told.keys() == {kind.__name__ for kind in kinds}
    for kind in kinds:
        assert {field.name for field in dataclasses.fields(kind)} <= told[kind.__name__]


def test_the_trial_that_the_page_shows_is_a_run(folder_of_ones_own, monkeypatch):
    shown = re.search(r"sage-jax train CONFIG(.*?)```", PAGE, flags=re.DOTALL)
    assert shown is not None
    given = []
    monkeypatch.setattr(arms, "train_arms", lambda config, folder: given.append((config, folder)))
    monkeypatch.setattr(cli, "_tell_results", lambda *_: None)
    words = shown[1].replace("\\\n", " ").split()
    cli.main(["train", str(ROOT / "configs" / "smollm2_arithmetic.yaml"), *words])
    ((config, folder),) = given
    objective.check(config)
    assert folder == Path("runs/trial")
    assert (config.train.steps, config.eval.num_problems, config.optimizer.micro_batch) == (2, 2, 0)


def test_what_the_page_shows_trains_and_is_resumed(config, folder_of_ones_own, tmp_path):
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    train(config, whole, StopRequest())
    with pytest.raises(Stopped):  # It looks once in the evaluation before, then after a step.
        train(config, cut, StopAt(1))
    assert [entry["step"] for entry in entries(cut)] == [1]
    path = folder_of_ones_own / "my_rewards.py"
    path.write_text(FILES["my_rewards.py"] + "\n")
    with pytest.raises(InputError, match=r"parts of your own \(.*\): my_rewards.py was \d+ bytes"):
        train(config, cut, StopRequest())
    path.write_text(FILES["my_rewards.py"])
    train(config, cut, StopRequest())
    assert entries(cut) == entries(whole)
    last = entries(whole)[-1]
    # A run that is refused before anything is opened is no run that stopped.
    stopped = (folder_of_ones_own / "stopped.txt").read_text().splitlines()
    assert stopped == ["done", "stopped by SIGTERM", "done"]
    for folder in (whole, cut):
        rows = (folder.path / "table.csv").read_text().splitlines()
        assert rows == [f"{one['step']},{one['reward']}" for one in entries(whole)]
    means = {spec.title: last[f"reward/{spec.title}"] for spec in config.reward}
    total = sum(spec.weight * means[spec.title] for spec in config.reward)
    assert last["reward"] == pytest.approx(total, abs=1e-6)
    assert last["pass@1"] == means["math"]
    assert means["rated"] == 0.5
    assert 0 < means["graded"] <= 0.1 * config.task.options["level"] + 1e-6
    assert last["q/max"] <= 1
    assert 0 < last["kl/gate"] <= 1
    assert "clip/region" in last
    assert "clip/low" not in last
    samples = map(json.loads, whole.samples_file(2).read_text().splitlines())
    assert all(one["prompt"].count("+") == config.task.options["level"] for one in samples)


def test_a_task_may_bring_its_own_reward_and_name_its_files(config, folder_of_ones_own, byte_model):
    (folder_of_ones_own / "words.txt").write_text("light stone")
    task = {"use": "my_tasks:rhymes", "instruction": "",
            "words_file": str(folder_of_ones_own / "words.txt")}  # fmt: skip
    other = configs.override(config, {"task": task, "reward": []})
    with pytest.raises(configs.ConfigError, match="task: my_tasks:rhymes gives no problem"):
        setup.open_base(other, str(byte_model))
    (folder_of_ones_own / "words.txt").write_text("light stone pine moon")
    task = setup.open_base(other, str(byte_model)).task
    tokens = np.zeros((2, 1), int)
    assert [*task.judge(task.held_out(2), tokens, tokens).parts] == ["short"]


def test_parts_are_listed_with_their_arguments(folder_of_ones_own):
    every = parts.listing()
    for word in ("branch, ratio: 0.3", "rloo", "matches, pattern", "  none\n", "boxed",
                 "clipped, eps_low: 0.2", "exact, renormalize: true", "  dapo\n"):  # fmt: skip
        assert word in every
    assert "guide:" not in parts.listing("reward")
    told = parts.listing("guide", "my_guides:gate")
    assert "{use: my_guides:gate, low: 0.8, threshold: 1.2}" in told
    assert "q = low below the threshold" in told
    assert "  low: float, default 0.8\n" in told
    told = parts.listing("task", "my_tasks:puzzles")
    assert "{use: my_tasks:puzzles, level: 1, count: 60}" in told
    assert "  instruction: str, default Put your" in told
    assert "  target: int, must be given\n" in parts.listing("reward", "my_rewards:brevity")
    for words, message in [
        (("guid",), "perhaps guide"),
        (("guide", "toke"), "perhaps token"),
        (("reward", "my_rewards:b"), "has no function 'b'"),
    ]:
        with pytest.raises(configs.ConfigError, match=message):
            parts.listing(*words)
