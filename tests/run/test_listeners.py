"""Listeners: who is told what and when, and that one that fails stops nothing."""

import fake_run
import pytest
from runs import StopAt

from sage_jax import parts
from sage_jax.config import ConfigError
from sage_jax.parallel import hosts
from sage_jax.parts import ListenerSpec
from sage_jax.run import events
from sage_jax.run.listeners import BestEffort, Listeners, make_listeners
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import Stopped, StopRequest

HEARD = []


def hear(event):
    """Of the tests below: remembers what it is told."""
    HEARD.append(event)


def fails(event, *, at: str):
    """Of the tests below: fails at one kind of event."""
    if type(event).__name__ == at:
        raise RuntimeError("no network")


def without_event():
    """Of the tests below: no listener."""
    return 3


@pytest.fixture
def heard(monkeypatch):
    """What `test_listeners:hear` was told of."""
    monkeypatch.syspath_prepend(__file__.rpartition("/")[0])
    module = parts.load("test_listeners", field="test")
    module.HEARD.clear()
    return module.HEARD


def named(heard):
    return [type(event).__name__ for event in heard]


STEP = ["PhaseStarted", "StepDone", "PhaseStarted"]


def test_what_happens_is_told_in_its_order(make_config, tmp_path, heard):
    config = make_config({"listeners": "test_listeners:hear", "train": {"eval_every": 2}})
    folder = RunFolder(tmp_path)
    with pytest.raises(Stopped):
        fake_run.train(config, folder, StopAt(1))  # Looks in each evaluation and after each step.
    assert named(heard) == [
        "Started", "Evaluated", "TrainingStarted", *STEP, "CheckpointSaved", "Stopped",
    ]  # fmt: skip
    assert isinstance(heard[-1].error, Stopped)
    heard.clear()
    fake_run.train(config, folder, StopRequest())
    assert named(heard) == [
        "Started", "TrainingStarted", *STEP, "CheckpointSaved", "PhaseStarted", "Evaluated",
        *STEP, *STEP, "CheckpointSaved", "PhaseStarted", "PhaseStarted", "Evaluated", "Stopped",
    ]  # fmt: skip
    started, done = heard[1], [one for one in heard if isinstance(one, events.StepDone)]
    assert (started.done, started.steps, len(started.history)) == (1, 4, 1)
    assert [one.step for one in done] == [2, 3, 4]
    assert done[0].metrics["reward"] == 0.5
    assert [one.result.tag for one in heard if isinstance(one, events.Evaluated)] == [
        "step-000002", "final",
    ]  # fmt: skip
    assert heard[-1].error is None


def test_one_that_fails_is_told_once_with_its_line_and_stops_nothing(
    make_config, tmp_path, heard, capsys
):
    failing = {"use": "test_listeners:fails", "at": "StepDone"}
    config = make_config({"listeners": [failing, "test_listeners:hear"]})
    fake_run.train(config, RunFolder(tmp_path), StopRequest())
    said = capsys.readouterr().err
    assert said.count("listeners.0: test_listeners:fails: RuntimeError: no network") == 2
    assert "test_listeners.py, line 27); the run goes on" in said
    assert "test_listeners.py, line 27): 4 times in all" in said
    assert named(heard).count("StepDone") == 4


def test_all_are_told_of_the_end_even_if_one_of_ours_fails():
    told = []

    def first(event):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Listeners([first, told.append])(events.Stopped(None))
    assert told == [events.Stopped(None)]


def test_only_the_first_process_tells_the_users_own(make_config, tmp_path, monkeypatch, heard):
    own = ["test_listeners:hear", {"use": "test_listeners:hear", "all_processes": True}]
    config = make_config({"listeners": own})

    def told():
        return [one for one in make_listeners(config, RunFolder(tmp_path))._listeners
                if isinstance(one, BestEffort)]  # fmt: skip

    assert len(told()) == 2
    monkeypatch.setattr(hosts, "is_main", lambda: False)
    assert len(told()) == 1


@pytest.mark.parametrize(
    ("listener", "message"),
    [
        ("wand", "listeners.0: there is no listener 'wand' (perhaps wandb?); there are mlflow"),
        ("test_listeners:without_event", "asks for no `event` and gives 3, which cannot be called"),
        ({"use": "test_listeners:hear", "event": 1}, "listeners.0"),
        ({"use": "test_listeners:fails"}, "listeners.0.at: must be given"),
    ],
)
def test_what_is_no_listener_is_refused_before_anything_is_loaded(
    make_config, tmp_path, heard, listener, message
):
    def start():
        config = make_config({"listeners": [listener]})
        fake_run.train(config, RunFolder(tmp_path / "run"), StopRequest())

    with pytest.raises(ConfigError) as caught:
        start()
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_other_listeners(make_config, tmp_path, heard):
    fake_run.train(make_config(), RunFolder(tmp_path), StopRequest())
    config = make_config({"listeners": "test_listeners:hear"})
    assert ListenerSpec(use="test_listeners:hear") in config.listeners
    assert "test_listeners" not in config.modules
    fake_run.train(config, RunFolder(tmp_path), StopRequest())
    assert named(heard)[-1] == "Stopped"
