"""What a run is at is told when it begins, while it lasts and when it ends."""

import re
import threading

import pytest

from sage_jax.run import console, stages
from sage_jax.run.console import Console


def test_a_short_stage_says_its_begin_and_its_end():
    said = []
    with stages.stage("loading x", said.append) as stage:
        stage.progress(1, 2)
    assert said[0] == "loading x ..."
    assert re.fullmatch(r"loading x: done in \d+\.\d s", said[1])
    assert len(said) == 2


def test_a_long_one_says_how_far_it_is_from_a_thread(monkeypatch):
    monkeypatch.setattr(stages, "EVERY_S", 0.001)
    said, told = [], threading.Event()

    def say(text):
        said.append(text)
        if ", 3 of 7" in text:
            told.set()

    with stages.stage("evaluating", say) as stage:
        stage.progress(3, 7)
        assert told.wait(300)  # Until it is said, however long that takes here.
    assert any(re.fullmatch(r"evaluating: \d+ s, 3 of 7", text) for text in said)
    assert not [t for t in threading.enumerate() if t.name == "stage"]


def test_one_that_fails_says_no_end():
    said = []
    with pytest.raises(ValueError, match="no"), stages.stage("loading", said.append):
        raise ValueError("no")
    assert said == ["loading ..."]


def test_only_the_first_step_is_told_of():
    said = []
    for first in (True, False):
        with stages.compiling(first, said.append):
            pass
    assert len(said) == 2


def test_slow_steps_have_a_line_each_in_a_log(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    shown = Console("run", 1000, line_every=50)
    for step in range(1, 5):
        now[0] += 40.0
        shown.step(step, {"reward": 0.5})
    assert re.findall(r"run (\d+)/1000", capsys.readouterr().out) == ["2", "4"]
