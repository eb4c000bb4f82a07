"""Paths in a bucket: what is written there is whole, and every fault is one message."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from etils.epath import backend
from fsspec.registry import _registry
from runs import step_done

from sage_jax import cli, models
from sage_jax import config as configs
from sage_jax.evaluate import ResultError, read_runs, write_report
from sage_jax.files import write_atomically
from sage_jax.models import ModelError
from sage_jax.paths import (
    PathError,
    as_path,
    is_remote,
    local_copy,
    reach,
    resolved,
    to_write,
    upload,
    write_object,
)
from sage_jax.run.checkpoint import Checkpoints
from sage_jax.run.events import Stopped, TrainingStarted
from sage_jax.run.journal import Journal, read_history
from sage_jax.run.run_folder import RunFolder

SHAPE = models.ModelConfig(
    family="llama", vocab_size=16, hidden_size=8, intermediate_size=8, num_layers=1, num_heads=2,
    num_kv_heads=2, head_dim=4, max_positions=8, eos_ids=(1,),
)  # fmt: skip
CONFIG = {"name": "run", "model": {"source": "random"}, "task": {"use": "brackets"},
          "warmup": {"steps": 2}}  # fmt: skip


@pytest.fixture(scope="module")
def params():
    return models.init(SHAPE, jax.random.key(0))[1]


def inside(folder):
    """The folder's name as the store has it."""
    return folder.removeprefix("gs://")


def test_what_cannot_be_written_in_the_end_is_refused_at_once(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for path, a_file in ((tmp_path / "a" / "b", False), (file, True), (tmp_path, False)):
        assert to_write(path, a_file=a_file) == path
    for path, a_file, said in (
        (file, False, "is a file; name another place"),
        (file / "a" / "b", False, f"{file} is a file; name another place"),
        (file / "b", True, f"{file} is a file; name another place"),
        (tmp_path, True, "it is a folder; name a file"),
    ):
        with pytest.raises(PathError, match=f"^{path}: cannot be written: .*{said}$"):
            to_write(path, a_file=a_file)
    assert file.read_text() == ""


def test_a_home_folder_is_filled_in(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert as_path("~/a") == Path("/home/me/a")


def test_local_paths_stay_what_they_are():
    path = as_path("runs/a")
    assert path == Path("runs/a")
    assert not is_remote(path)
    assert resolved(path) == Path.cwd() / "runs" / "a"


def test_paths_in_a_bucket_keep_their_name(bucket):
    path = as_path("gs://bucket/runs/a/")
    assert str(path) == "gs://bucket/runs/a"
    assert str(path / "eval" / "base.json") == "gs://bucket/runs/a/eval/base.json"
    assert as_path(path) == path == resolved(path)
    assert is_remote(path.parent)


@pytest.mark.parametrize("text", ["s3://bucket/run", "gs:///run", "gs://bucket", "gs://bucket/"])
def test_other_addresses_are_refused(bucket, text):
    with pytest.raises(PathError, match=text):
        as_path(text)


def test_without_its_client_a_bucket_is_refused(bucket, monkeypatch):
    monkeypatch.delitem(_registry, "gcs")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(PathError, match=r"gs://bucket/run: install sage-jax\[gcs\]"):
        as_path("gs://bucket/run")


def test_the_client_does_not_remember_what_a_folder_held(bucket, folder):
    client = backend.fsspec_backend.fs(str(as_path(folder)))
    assert client.storage_options["use_listings_cache"] is False


def test_a_file_is_written_and_replaced(bucket, folder):
    path = as_path(folder) / "deep" / "file"
    for data in (b"first", b"second"):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert path.is_file()
    assert path.parent.is_dir()


def test_a_bucket_that_is_not_there_is_named(bucket):
    with pytest.raises(PathError, match=r"gs://gone/run/x: cannot be used: FileNotFoundError"):
        write_object(as_path("gs://gone/run/x"), b"")


def test_a_bucket_that_does_not_answer_is_named(bucket, folder, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no rights\nand more")

    monkeypatch.setattr(_registry["gcs"], "exists", refuse)
    with pytest.raises(PathError, match=rf"^{folder}: cannot be used: RuntimeError: no rights$"):
        reach(as_path(folder))


def test_checkpoints_that_cannot_be_written_are_named(bucket, folder, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no rights")

    monkeypatch.setattr(_registry["gcs"], "makedirs", refuse)
    with pytest.raises(PathError, match=f"{folder}: cannot be used: RuntimeError: no rights"):
        Checkpoints(as_path(folder), keep=1)


@pytest.mark.parametrize("done", [0, 1, 2])
def test_the_journal_of_a_bucket_is_that_of_a_disk(bucket, folder, tmp_path, done):
    paths = [tmp_path / "metrics.jsonl", as_path(folder) / "metrics.jsonl"]
    for path in paths:
        journal = Journal(path)
        first = [TrainingStarted(0, 2, []), step_done(1, {"step": 1, "loss": float("nan")})]
        for event in (*first, step_done(2, {"step": 2, "loss": 0.5})):
            journal(event)
        assert path.read_bytes().count(b"\n") == 2
        journal(Stopped(None))
        journal = Journal(path)
        journal(TrainingStarted(done, 2, read_history(path, done=done)))
        journal(step_done(done + 1, {"step": done + 1}))
        journal(Stopped(None))
    texts = [path.read_bytes() for path in paths]
    assert texts[0] == texts[1]
    assert texts[0].count(b"\n") == done + 1


def test_a_model_goes_to_a_bucket_and_back(bucket, folder, params, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    models.save_hf(folder, SHAPE, params)
    written = [name for name in bucket.written if name.startswith(inside(folder))]
    assert written[-1] == f"{inside(folder)}/config.json"
    loaded = models.load(folder)
    assert loaded.config == SHAPE
    for a, b in zip(jax.tree.leaves(loaded.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not list(tmp_path.iterdir())


def test_a_model_is_not_written_over_another(bucket, folder, params):
    models.save_hf(folder, SHAPE, params)
    with pytest.raises(ModelError, match=f"{folder} exists and is not empty"):
        models.save_hf(folder, SHAPE, params)


def test_a_model_is_not_written_among_other_files(bucket, folder, params):
    write_object(as_path(folder) / "config.yaml", b"")
    with pytest.raises(ModelError, match="is not empty"):
        models.save_hf(folder, SHAPE, params)


def test_an_upload_that_was_cut_off_is_no_model_and_is_made_again(
    bucket, folder, params, monkeypatch
):
    put_file = _registry["gcs"].put_file

    def lose_the_config(self, source, target, **options):
        if target.endswith("config.json"):
            raise ConnectionError("lost")
        put_file(self, source, target, **options)

    run = RunFolder(as_path(folder))
    with monkeypatch.context() as patch:
        patch.setattr(_registry["gcs"], "put_file", lose_the_config)
        with pytest.raises(PathError, match="ConnectionError: lost"):
            models.save_hf(run.base, SHAPE, params)
    assert (run.base / "model.safetensors").is_file()
    assert not run.has_base()
    models.save_hf(run.base, SHAPE, params)
    assert run.has_base()


def test_a_damaged_model_is_told_by_its_own_name(bucket, folder):
    write_object(as_path(folder) / "config.json", b"{}")
    write_object(as_path(folder) / "model.safetensors", b"x")
    write_object(as_path(folder) / "generation_config.json", b"[]")
    with pytest.raises(ModelError) as caught:
        models.load(folder)
    assert "sage-jax-" not in str(caught.value)


def test_a_source_that_is_not_there_is_named(bucket, folder):
    with pytest.raises(ModelError, match=f"{folder}/none.*no such folder"):
        models.load(f"{folder}/none")


def test_only_what_is_asked_for_is_copied(bucket, folder, tmp_path):
    for name in ("a.json", "deep/b.json", "weights.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    upload(tmp_path, as_path(folder), last="a.json")
    with local_copy(as_path(folder), ["*.json"]) as copy:
        names = {p.relative_to(copy).as_posix(): p.read_text() for p in copy.rglob("*.json")}
        assert names == {"a.json": "a.json", "deep/b.json": "deep/b.json"}
        assert not (copy / "weights.bin").exists()
    assert not copy.exists()
    with local_copy(as_path(folder) / "weights.bin", []) as copy:
        assert copy.read_text() == "weights.bin"


def test_folders_of_arms_are_found_in_a_bucket(bucket, folder):
    config = configs.parse(CONFIG)
    for arm in ("b", "a"):
        run = RunFolder(as_path(folder) / arm)
        run.write_config(config)
        journal = Journal(run.metrics_file)
        for event in (TrainingStarted(0, 1, []), step_done(1, {"step": 1, "reward": 0.5})):
            journal(event)
    assert [run.name for run in read_runs([folder])] == ["a", "b"]
    with pytest.raises(ResultError, match=f"{folder}/a: the same run folder is given twice"):
        read_runs([folder, f"{folder}/a/"])
    page = write_report([folder], f"{folder}/report")
    assert str(page) == f"{folder}/report/index.html"
    assert b"<html" in bucket.objects[inside(str(page))][0]
    assert f"{inside(folder)}/report/training.png" in bucket.objects


def test_arms_find_the_base_of_their_folder(bucket, folder):
    home = RunFolder(as_path(folder))
    arm = RunFolder(home.path / "arm")
    assert arm.base == arm.path / "base"
    home.share(configs.parse(CONFIG))
    assert arm.base == home.base


def said(arguments, capsys):
    with pytest.raises(SystemExit) as leaving:
        cli.main(arguments)
    return leaving.value.code, capsys.readouterr().err


def test_the_command_line_says_one_line(bucket, folder, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_object(as_path(folder) / "run.yaml", configs.dump(configs.parse(CONFIG)).encode())
    assert said(["report", f"{folder}/none"], capsys) == (
        1, f"sage-jax: {folder}/none: no such folder\n",
    )  # fmt: skip
    status, error = said(["train", f"{folder}/run.yaml", "--run_dir", "s3://b/run"], capsys)
    assert (status, error.count("\n")) == (1, 1)
    assert "s3://b/run: a path is local or begins with gs://" in error
    status, error = said(["train", f"{folder}/run.yaml", "--run_dir", "gs://gone/run"], capsys)
    assert (status, error.count("\n")) == (1, 1)
    assert "gs://gone/run/config.yaml: cannot be used: FileNotFoundError" in error
    assert not list(tmp_path.iterdir())
