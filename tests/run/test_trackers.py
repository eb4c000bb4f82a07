"""The trackers with their real libraries, where they are installed; nothing leaves the machine."""

import functools
import json
import struct

import pytest
import tracked

from sage_jax.run.tracking.mlflow import MLflow
from sage_jax.run.tracking.tensorboard import TensorBoard
from sage_jax.run.tracking.trackio import Trackio
from sage_jax.run.tracking.wandb import WandB

# Libraries say what they like; what counts is what they have in the end.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def tell_of_two_parts(make_config, tmp_path):
    """A function that tells trackers of a run cut off after step 3, which goes on from step 1."""
    config = make_config({"train": {"sample_every": 2}})

    def both(make):
        said = []
        tell = functools.partial(tracked.tell, config, tmp_path, say=said.append)
        tell(make(), upto=3, error=OSError("cut off"))
        tell(make(), done=1)
        assert said == []

    return both


def told_id(folder):
    """Of the one run that a tracker has."""
    (path,) = (folder / "trackers").glob("*.json")
    return json.loads(path.read_text())["id"]


def events_of(folder):
    """What event files say, in their order: TFRecords of one event each."""
    event = pytest.importorskip("tensorboardX.proto.event_pb2").Event
    for path in sorted(folder.glob("events.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            yield event.FromString(data[12 : 12 + length])
            data = data[16 + length :]


def test_tensorboard_has_each_step_once(tell_of_two_parts, tmp_path):
    pytest.importorskip("tensorboardX")
    tell_of_two_parts(TensorBoard)
    losses, texts = {}, {}
    for event in events_of(tmp_path / "tensorboard"):
        if event.HasField("session_log"):  # As readers purge.
            losses = {step: value for step, value in losses.items() if step < event.step}
        for value in event.summary.value:
            if value.tag == "train/loss":
                assert event.step not in losses
                losses[event.step] = value.simple_value
            elif value.tag.startswith("completions"):
                texts[event.step] = value.tensor.string_val[0].decode()
    assert losses == {step: pytest.approx(1 / step) for step in (1, 2, 3, 4)}
    assert texts.keys() == {1, 3, 4}
    assert "**reason**\n\n    correct" in texts[1]


def test_tensorboards_own_reader_agrees(tell_of_two_parts, tmp_path):
    pytest.importorskip("tensorboardX")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tell_of_two_parts(TensorBoard)
    found = reader.EventAccumulator(str(tmp_path / "tensorboard"), {"scalars": 0}).Reload()
    assert [one.step for one in found.Scalars("train/loss")] == [1, 2, 3, 4]
    assert [one.step for one in found.Scalars("eval/pass@1")] == [0, 4]


def test_wandb_offline_goes_on_under_one_id(tell_of_two_parts, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef0123456789abcdef01234567")
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "settings"))
    tell_of_two_parts(lambda: WandB(project="sage", tags=("a",)))
    wandb.teardown()  # Runs finish before their service has written all that it was told.
    # Folders are named by the second; W&B adds "-1" to a second one of that name.
    files = sorted((tmp_path / "wandb").glob(f"offline-run-*-{told_id(tmp_path)}*/*.wandb"))
    first, second = (path.read_bytes() for path in files)
    assert b"train/loss" in first
    assert b"train/rewards/" not in first
    assert b"eval/pass@1" in second
    assert b"results-" in second  # The artifact.
    whole = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert b"0123456789abcdef0123456789abcdef01234567" not in whole


def test_mlflow_has_each_step_once(tell_of_two_parts, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # Of the stores that its client has.
    uri = f"file:{tmp_path}/mlruns"
    tell_of_two_parts(lambda: MLflow(experiment="sage", uri=uri))
    client = mlflow.MlflowClient(tracking_uri=uri)
    run = client.get_run(told_id(tmp_path))
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(one.step, one.value) for one in history] == [(n, 1 / n) for n in (1, 2, 3, 4)]
    assert run.data.metrics["eval/pass_at_1"] == 0.5
    assert run.data.params["train.steps"] == "4"
    tables = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert [one["path"] for one in tables] == [
        f"completions/step-00000{n}.json" for n in (1, 3, 4)
    ]  # fmt: skip
    names = {one.path for one in client.list_artifacts(run.info.run_id, "eval")}
    assert names == {"eval/base.json", "eval/final.json"}


def test_trackio_has_each_step_once(tell_of_two_parts, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # Read where it is imported.
    pytest.importorskip("trackio")
    storage = pytest.importorskip("trackio.sqlite_storage").SQLiteStorage
    tell_of_two_parts(lambda: Trackio(project="sage"))
    logs = storage.get_logs("sage", told_id(tmp_path))
    assert [one["step"] for one in logs if "train/loss" in one] == [1, 2, 3, 4]
    tables = [one["step"] for one in logs if "completions" in one]
    assert tables == [1, 3, 4]
