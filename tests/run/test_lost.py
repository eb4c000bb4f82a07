"""Verdicts that are lost: counted, written down, and too many of them end a run."""

import io
import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console as Terminal
from runs import step_done

from sage_jax import cli
from sage_jax import config as configs
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.evaluate import EvalResult
from sage_jax.rewards import Verdict, read_pairs
from sage_jax.rollout import Rollout
from sage_jax.run import lost as module
from sage_jax.run.console import Console
from sage_jax.run.dynamic_sampling import Batch
from sage_jax.run.judging import Outcome, Pending
from sage_jax.run.loop import train
from sage_jax.run.lost import LEAST, RECENT, LostVerdicts, LostVerdictsError
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import StopRequest


class Losing:
    """A judge that loses all that a model wrote."""

    def score(self, pairs):
        return [Verdict.of(("deadline", "memory")[place % 2]) for place in range(len(pairs))]

    def answer(self, completion):
        return None


@pytest.fixture
def losing(monkeypatch):
    """What to change of a config, so that it judges by that."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return {"reward": "test_lost:Losing"}


class Spelled:
    """As much of a task as writing a completion down takes."""

    def gold(self, id):
        return "1"

    def judged_text(self, tokens, id):
        return "x"


TASK: Any = Spelled()


def step(number, judged, lost, reason="crashed"):
    """A step that sampled one prompt, with some verdicts of which some were lost."""
    reasons = [reason] * lost + ["wrong"] * (judged - lost)
    zeros = np.zeros(judged)
    outcome = Outcome(Judged(zeros, zeros > 0, [""] * judged, reasons), zeros, zeros)
    prompts = Prompts(["a"], np.ones((1, 1), np.int32), np.ones((1, 1), bool))
    ones = jnp.ones((judged, 1), jnp.int32)
    rollout = Rollout(ones[:1], ones[:1] > 0, ones, ones, ones, ones[:, 0])
    batch = Batch(prompts, rollout, Pending(lambda: outcome))
    return step_done(number, drawn=[batch], task=TASK)


def test_a_run_that_loses_its_verdicts_ends_and_leaves_them(make_words_config, losing, tmp_path):
    config = make_words_config(losing | {"train": {"steps": 3}})
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(LostVerdictsError) as caught:
        train(config, folder, StopRequest())
    message = str(caught.value)
    assert "16 of the last 16 verdicts were lost, more than task.max_lost 0.05" in message
    assert "(in this step: deadline 4, memory 4)" in message
    assert str(folder.lost_file(2)) in message
    entries = [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]
    assert [entry["verdicts/lost"] for entry in entries] == [1.0, 1.0]
    rows = [json.loads(line) for line in folder.lost_file(1).read_text().splitlines()]
    assert len(rows) == 8
    assert {row["reason"] for row in rows} == {"deadline", "memory"}
    for row in rows:
        assert row["gold"] == str(int(row["id"].removeprefix("train-")) + 1)
    assert len(read_pairs(folder.lost_file(2))) == 8  # As `sage-jax verify` reads them.
    # Nothing was saved of the step that ended it.
    assert not any(path.name == "2" for path in folder.checkpoints.glob("*"))


def test_the_command_ends_with_one_message(make_words_config, losing, tmp_path, capsys):
    path = tmp_path / "words.yaml"
    path.write_text(configs.dump(make_words_config(losing)))
    with pytest.raises(SystemExit) as leaving:
        cli.main(["train", str(path), "--run_dir", str(tmp_path / "run")])
    error = capsys.readouterr().err
    assert leaving.value.code == 1
    assert "sage-jax: 16 of the last 16 verdicts were lost" in error
    assert "Traceback" not in error


def test_an_evaluation_counts_and_tells_what_it_lost(make_words_config, losing, tmp_path, capsys):
    config, folder = (
        make_words_config(losing | {"task": {"max_lost": 1.0}}),
        RunFolder(tmp_path / "run"),
    )
    train(config, folder, StopRequest())
    assert EvalResult.load(folder.eval_file("final")).summary()["lost"] == 1.0
    said = capsys.readouterr().err
    assert "evaluation final: 100.00% of its verdicts were lost and count as wrong" in said


def test_all_that_resampling_drew_is_counted(make_words_config, losing, tmp_path):
    changes = {"rollout": {"dynamic_sampling": 1}, "task": {"max_lost": 1.0}, "train": {"steps": 1}}
    folder = RunFolder(tmp_path / "run")
    train(make_words_config(losing | changes), folder, StopRequest())
    assert len(folder.lost_file(1).read_text().splitlines()) == 16


STEPS = [
    # Verdicts and lost ones of each step, the share allowed, and the step that ends the run.
    ([(8, 1)] * 3, 0.05, None),
    ([(8, 1)] * 20, 0.05, LEAST),
    ([(8, 8)] * 5, 0.05, 2),
    ([(4096, 204)] * 5, 0.05, None),
    ([(4096, 205)], 0.05, 1),
    ([(100, 0)] * 50 + [(100, 50)], 0.05, None),
    ([(100, 0)] * 50 + [(100, 51)], 0.05, 51),
    ([(100, LEAST - 1)], 0.0, None),
    ([(100, 100)] * 9, 1.0, None),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "max_share", "ends"), STEPS)
def test_when_too_many_are_lost(tmp_path, steps, max_share, ends):
    counted, ended = LostVerdicts(RunFolder(tmp_path), max_share=max_share), None
    for number, (judged, lost) in enumerate(steps, start=1):
        try:
            counted(step(number, judged, lost))
        except LostVerdictsError:
            ended = number
            break
    assert ended == ends


def test_old_steps_are_forgotten(tmp_path):
    counted = LostVerdicts(RunFolder(tmp_path), max_share=0.05)
    for number in range(40):  # 2% are lost.
        counted(step(number, 100, 2))
    with pytest.raises(LostVerdictsError, match=f"of the last {RECENT} verdicts"):
        counted(step(40, 100, 60))


def test_what_every_process_lost_is_written(tmp_path, monkeypatch):
    other = [{"id": "b", "gold": "2", "completion": "y", "reason": "memory"}]
    monkeypatch.setattr(module.hosts, "gather", lambda value: [value, other if value else value])
    folder = RunFolder(tmp_path)
    LostVerdicts(folder, max_share=0.05)(step(7, 4, 1))
    rows = [json.loads(line) for line in folder.lost_file(7).read_text().splitlines()]
    assert [(row["step"], row["id"], row["reason"]) for row in rows] == [
        (7, "a", "crashed"), (7, "b", "memory"),
    ]  # fmt: skip


@pytest.mark.parametrize(("share", "shown"), [(0.0, False), (0.02, True)])
def test_the_console_says_so_only_where_there_are_any(share, shown):
    console, out = Console("run", 1), io.StringIO()
    console._terminal = Terminal(file=out)
    console.step(1, {"reward": 0.5, "verdicts/lost": share})
    assert ("verdicts lost 2.00%" in out.getvalue()) == shown
