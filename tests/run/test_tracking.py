"""What trackers are told of a run, on a thread of its own; no tracker's library is needed here."""

import functools
import json
import os
import re
import threading

import numpy as np
import pages
import pytest
import tracked
import yaml

from sage_jax import config as configs
from sage_jax import parts
from sage_jax.data.tasks import Judged
from sage_jax.parallel import hosts
from sage_jax.rollout import Finish
from sage_jax.run.events import Started, Stopped
from sage_jax.run.judging import Outcome
from sage_jax.run.listeners import BestEffort, make_listeners
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.samples import samples_of
from sage_jax.run.tracking import names, tracker
from sage_jax.run.tracking.listener import Tracking, write_page
from sage_jax.run.tracking.outbox import Outbox
from sage_jax.run.tracking.plain_config import plain_config

LONG = tracked.LONG
PAGE = "docs/tracking.md"


class Fake:
    """A tracker that writes down what it is told of."""

    title, home = "Fake", "here"

    def __init__(self, *, rewinds=False, fails=()):
        self.rewinds, self.fails, self.told = rewinds, set(fails), []

    def _hear(self, kind, *what):
        if kind in self.fails:
            raise ConnectionError(f"no {kind}")
        self.told.append((kind, *what))

    def open(self, run):
        self._hear("open", run.id)
        self.config = run.config
        return run.id or "first"

    def rewind(self, step):
        self._hear("rewind", step)
        return self.rewinds

    def metrics(self, step, values):
        self._hear("metrics", step, dict(values))

    def table(self, step, rows):
        self._hear("table", step, rows)

    def files(self, paths):
        self._hear("files", [path.name for path in paths])

    def close(self, *, failed):
        self._hear("close", failed)

    def steps(self, name="train/loss"):
        return [step for kind, step, *rest in self.told if kind == "metrics" and name in rest[0]]


@pytest.fixture
def tell(make_config, tmp_path):
    """`tracked.tell` of a run of 4 steps."""
    config = make_config({"train": {"sample_every": 2}})
    return functools.partial(tracked.tell, config, tmp_path)


def test_a_tracker_is_told_of_steps_completions_evaluations_and_files(tell, tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "old.html").write_text("")
    os.utime(tmp_path / "report" / "old.html", (0, 0))
    told = tell(Fake()).told
    assert [kind for kind, *_ in told] == [
        "open", "metrics", "metrics", "table", "metrics", "metrics", "table", "metrics", "table",
        "metrics", "files", "close",
    ]  # fmt: skip
    base, first, samples, final = told[1], told[2], told[3], told[-3]
    assert (base[1], final[1]) == (0, 4)
    assert base[2].items() >= {"eval/pass@1": 0.5, "eval/completions/mean_length": 3.0}.items()
    assert first[2].items() >= {"train/reward": 0.5, "train/loss": 1.0}.items()
    assert first[2]["train/reward_std"] == pytest.approx(np.std([0, 1, 0, 1], ddof=1))
    assert samples[1] == 1
    assert samples[2] == samples_of(tracked.stepped(1))
    assert samples[2][0].keys() >= {"prompt", "completion", "reward", "reason"}
    # A report that is older than the evaluations is not that of this run's end.
    assert told[-2][1] == ["base.json", "final.json", "index.html"]
    assert told[-1] == ("close", False)


def test_several_trackers_share_one_report(make_config, tmp_path):
    tracked.evaluated(tmp_path, "final", 4)
    made, fakes = [], [Fake(), Fake()]

    def page(folder):
        made.append(folder)
        tracked.page(folder)

    for fake in fakes:
        own = Tracking(fake, wait_s=LONG, page=page)
        own(Started(make_config({}), tmp_path))
        own(Stopped(None))
    assert made == [tmp_path]
    assert [fake.told[-2][1] for fake in fakes] == [["final.json", "index.html"]] * 2


def test_of_several_processes_the_first_tells(tell, tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "is_main", lambda: False)
    assert tell(Fake()).told == []
    assert not (tmp_path / "report").exists()


def test_a_report_that_cannot_be_made_is_told_and_not_sent(tell):
    said = []

    def page(folder):
        raise OSError("a full disk")

    fake = tell(Fake(), page=page, say=said.append)
    assert said == ["Fake: no report: a full disk; the run goes on"]
    assert fake.told[-2][1] == ["base.json", "final.json"]


def test_the_report_is_that_of_the_run(tell, tmp_path):
    fake = tell(Fake(), page=write_page)
    assert "index.html" in fake.told[-2][1]
    assert "pass@1" in (tmp_path / "report" / "index.html").read_text()


@pytest.mark.parametrize("rewinds", [False, True])
def test_a_step_that_is_taken_again_is_told_once(tell, tmp_path, rewinds):
    fake = Fake(rewinds=rewinds)
    tell(fake, upto=3, error=OSError("cut off"))
    assert fake.told[-1] == ("close", True)
    tracked.evaluated(tmp_path, "step-000002", 2)
    fake.told.clear()
    tell(fake, done=1)
    assert fake.told[:2] == [("open", "first"), ("rewind", 1)]
    assert fake.steps() == ([2, 3, 4] if rewinds else [4])
    # An evaluation is not made again, but went with the steps that were forgotten.
    assert fake.steps("eval/pass@1") == ([2, 4] if rewinds else [4])


def test_a_tracker_that_comes_late_is_told_of_the_steps_before(tell):
    fake = tell(Fake(), done=2)
    assert fake.told[0] == ("open", "")
    assert fake.steps() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("kind", "lost"), [("open", 8), ("metrics", 6), ("table", 3), ("files", 1), ("close", 0)]
)
def test_one_that_fails_is_told_once_with_what_was_lost(tell, kind, lost):
    said = []
    tell(Fake(fails=[kind]), say=said.append)
    assert said[0] == f"Fake: ConnectionError: no {kind}; the run goes on"
    assert said[1:] == ([f"Fake: {lost} of 8 records were lost"] if lost else [])


def test_one_that_hangs_is_left_after_a_set_time_and_a_full_box_drops(monkeypatch):
    said, made, free = [], [], threading.Event()
    started = threading.Event()

    def hang():
        started.set()
        free.wait(LONG)

    box = Outbox("Fake", hang, said.append, size=2)
    assert started.wait(LONG)
    for number in range(5):
        box.put(lambda number=number: made.append(number))
    box.close(lambda: made.append("last"), within_s=0.01)
    assert said == [
        "Fake: does not keep up: 2 records are waiting, further ones dropped; the run goes on",
        "Fake: 5 of 5 records were lost (not done after 0.01 s)",
    ]
    free.set()
    box._thread.join(LONG)
    assert not made
    assert box._thread.daemon  # No interpreter waits for it.


def test_the_first_call_is_tried_until_it_works():
    said, made, tries = [], [], []

    def open():
        tries.append(0)
        if len(tries) < 3:
            raise OSError("down")

    box = Outbox("Fake", open, said.append, retry_s=0.0)
    box.put(lambda: made.append(1))
    box.close(lambda: made.append("last"), within_s=LONG)
    # The end cuts the waiting short, and tries once more.
    assert made in ([1, "last"], [])
    assert said[0] == "Fake: OSError: down; the run goes on"


def test_metrics_have_trls_names():
    rewards, part = np.array([1.0, 0.0, 1.0, 1.0]), np.array([1.0, np.nan, 0.0, np.nan])
    judged = Judged(rewards, rewards > 0, [""] * 4, [""] * 4, {"short": part})
    finish = np.array([Finish.STOP_TOKEN, Finish.LENGTH, Finish.STOP_TOKEN, Finish.STOP_TOKEN])
    found = names.of_batch(Outcome(judged, np.array([3, 9, 5, 4]), finish))
    assert found == {
        "train/reward_std": pytest.approx(0.5),
        "train/rewards/short/std": pytest.approx(0.5**0.5),
        "train/completions/min_length": 3.0,
        "train/completions/mean_terminated_length": 4.0,
        "train/completions/min_terminated_length": 3.0,
        "train/completions/max_terminated_length": 5.0,
    }
    told = names.of_step({"step": 1, "kl": 0.2, "kl/reference": 0.1, "q/mean": 1.5, "loss": None,
                          "grad_norm": float("inf"), "clip/region": 0.3})  # fmt: skip
    assert told == {"train/kl_anchor": 0.2, "train/kl": 0.1, "train/q/mean": 1.5,
                    "train/clip_ratio/region_mean": 0.3}  # fmt: skip


def test_no_two_metrics_get_one_name():
    targets = [*names.TRL.values(), *names.OURS.values()]
    own = {*names.TRL, *names.OURS}
    assert len(set(targets)) == len(targets)
    # A name of ours that one of TRL's takes has another one itself.
    assert {name for name in targets if name in own} <= names.OURS.keys()


def test_the_config_that_is_told_holds_no_key(make_config):
    task = {"use": "jsonl", "api_key": "sk-1", "url": "https://me:pw@host/x", "max_tokens": 3}
    config = make_config({"listeners": {"use": "mine:hook", "url": "https://hooks/T0/secret"}})
    told = plain_config(config.model_copy(update={"task": parts.TaskSpec.model_validate(task)}))
    assert "listeners" not in told
    assert told["task"]["url"] == "https://host/x"
    assert told["task"]["max_tokens"] == 3
    assert not {word for word in ("sk-1", "pw@", "hooks") if word in json.dumps(told)}
    assert told["train"]["steps"] == config.train.steps


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "trackio", "mlflow"])
def test_one_that_is_not_installed_is_refused_with_what_to_do(name, make_config, monkeypatch):
    monkeypatch.setattr(tracker, "is_installed", lambda module: False)
    spec = parts.ListenerSpec(use=name)
    part = parts.resolve(spec, parts.LISTENERS, field="listeners.0")
    with pytest.raises(configs.ConfigError) as caught:
        part.call()
    assert "listeners.0: the package" in str(caught.value)
    assert "pip install 'sage_jax[tracking]'" in str(caught.value)


def test_a_password_in_an_address_is_refused(monkeypatch):
    monkeypatch.setattr(tracker, "is_installed", lambda module: True)
    spec = parts.ListenerSpec.model_validate({"use": "mlflow", "uri": "https://a:b@host"})
    with pytest.raises(configs.ConfigError, match="MLFLOW_TRACKING_PASSWORD"):
        parts.resolve(spec, parts.LISTENERS, field="listeners.0").call()


def test_the_config_of_the_page_makes_four_listeners(make_config, tmp_path, monkeypatch):
    monkeypatch.setattr(tracker, "is_installed", lambda module: True)
    (block,) = pages.blocks(PAGE, "yaml")
    config = make_config(yaml.safe_load(block))
    made = make_listeners(config, RunFolder(tmp_path))._listeners
    assert sum(isinstance(one, BestEffort) for one in made) == 4
    assert "{use: wandb, project: sage-jax" in parts.listing("listener")


def test_the_table_of_names_is_that_of_the_code():
    table = re.findall(r"^\| `train/(\S+)` \| `(\S+)` \|", pages.text(PAGE), flags=re.MULTILINE)
    rows = dict(table)
    rows.pop("rewards/NAME/mean")
    same = {name for name, own in rows.items() if name == own}
    assert {own: name for name, own in rows.items() if name not in same} == names.TRL | names.OURS
