"""Problems and weights that are others than a run began with are refused by what differs."""

import dataclasses
import doctest
import gzip
import json
import os
import random
import re
import shutil
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sage_jax import models, paths
from sage_jax.config import ConfigError
from sage_jax.data import Problem
from sage_jax.data.named import DATA_SETS
from sage_jax.data.problem_set import Split
from sage_jax.parallel import HostsError, hosts
from sage_jax.run import digests, inputs
from sage_jax.run.inputs import InputError
from sage_jax.run.run_folder import RunFolder


def rows(count=6):
    return [{"id": f"q{i}", "problem": f"{i} + 2?", "answer": str(i + 2)} for i in range(count)]


def write(path, problems):
    text = "".join(json.dumps(problem) + "\n" for problem in problems)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def begun(make_words_config, byte_model, tmp_path):
    """A run that has begun: (config, folder, where its data and model lie)."""
    shutil.copytree(byte_model, tmp_path / "model")
    for name in ("train", "test"):
        write(tmp_path / f"{name}.jsonl", rows())
    config = make_words_config({
        "model": {"source": str(tmp_path / "model")},
        "task": {"train_file": str(tmp_path / "train.jsonl"),
                 "eval_file": str(tmp_path / "test.jsonl")},
    })  # fmt: skip
    folder = RunFolder(tmp_path / "run")
    inputs.keep(config, folder, inputs.refuse_others(config, folder))
    folder.write_config(config)
    inputs.refuse_others(config, folder)
    return config, folder, tmp_path


def moved(config, **changes):
    from sage_jax import config as configs

    return configs.override(config, changes)


WRONG = {
    "added": (lambda r: [*r, {"id": "q9", "problem": "?", "answer": "1"}],
              "6 problems then, 7 now: 1 added at the end, from number 7 (id 'q9') on"),
    "removed from the end": (lambda r: r[:4], "6 problems then, 4 now: the last 2 are gone"),
    "removed from the front": (lambda r: r[1:], "6 problems then, 5 now; the first that differs "
                               "is number 1 (id 'q1')"),
    "one answer": (lambda r: [*r[:2], r[2] | {"answer": "9"}, *r[3:]],
                   "1 of 6 problems differs, number 3 (id 'q2')"),
    "one id": (lambda r: [*r[:5], r[5] | {"id": "z"}],
               "1 of 6 problems differs, number 6 (id 'z')"),
    "one source": (lambda r: [r[0] | {"source": "s"}, *r[1:]],
                   "1 of 6 problems differs, number 1 (id 'q0')"),
    "other order": (lambda r: [r[0], *r[:0:-1]],
                    "the same 6 problems in another order, from number 2 (id 'q5') on"),
    "other problems": (lambda r: [x | {"problem": "?"} for x in r],
                       "6 of 6 problems differ, the first is number 1 (id 'q0')"),
}  # fmt: skip


def test_examples_in_docstrings():
    result = doctest.testmod(inputs)
    assert result.attempted == 2
    assert result.failed == 0


class TestFiles:
    def test_a_file_that_holds_no_problems_is_known_by_its_bytes(self, begun):
        config, folder, home = begun
        (home / "words.txt").write_text("light stone")
        named = {"use": "my_tasks:rhymes", "words_file": str(home / "words.txt")}
        other, folder = moved(config, task=named), RunFolder(home / "other")
        inputs.keep(other, folder, inputs.refuse_others(other, folder))
        folder.write_config(other)
        inputs.refuse_others(other, folder)
        (home / "words.txt").write_text("light stones")
        with pytest.raises(InputError, match=r"task\.words_file \(.*: was 11 bytes, is 12 bytes"):
            inputs.refuse_others(other, folder)
        (home / "words.txt").unlink()
        with pytest.raises(InputError, match=r"words\.txt\): is gone"):
            inputs.refuse_others(other, folder)

    def test_an_evaluation_does_not_look_at_what_is_for_training(self, begun):
        config, folder, home = begun
        write(home / "train.jsonl", rows(3))
        inputs.refuse_others(config, folder, inputs.of_evaluation(config))
        write(home / "test.jsonl", rows(3))
        with pytest.raises(InputError, match=r"task\.eval_file"):
            inputs.refuse_others(config, folder, inputs.of_evaluation(config))


class TestNamedData:
    @pytest.fixture
    def named(self, begun):
        config, _, home = begun
        config, folder = moved(config, task={"use": "gsm8k"}), RunFolder(home / "named")
        inputs.keep(config, folder, inputs.refuse_others(config, folder))
        folder.write_config(config)
        inputs.refuse_others(config, folder)
        return config, folder

    @pytest.mark.parametrize("changes", [{"version": "9.0.0"}, {"splits": {}}], ids=str)
    def test_another_version_or_checksum_is_refused(self, named, monkeypatch, changes):
        config, folder = named
        old = DATA_SETS["gsm8k"]
        other = dataclasses.replace(old, **changes)
        monkeypatch.setitem(DATA_SETS, "gsm8k", other)
        with pytest.raises(InputError) as caught:
            inputs.refuse_others(config, folder, inputs.of_evaluation(config))
        told = f"task.use (gsm8k): was {old.fingerprint}, is {other.fingerprint}"
        assert told in str(caught.value)

    def test_the_same_from_another_folder_go_on(self, named):
        config, folder = named
        places = {"data_dir": "gs://bucket/tfds", "manual_dir": "elsewhere"}
        other = moved(config, task={"use": "gsm8k"} | places)
        folder.refuse_drift(other)
        inputs.refuse_others(other, folder)
        with pytest.raises(ConfigError, match=r"task\.exclude_ids"):
            folder.refuse_drift(moved(config, task={"exclude_ids": ["gsm8k-train-0"]}))


class TestProblems:
    @pytest.mark.parametrize("name", ["train", "test"])
    @pytest.mark.parametrize("kind", WRONG)
    def test_others_are_refused_by_what_differs(self, begun, kind, name):
        config, folder, home = begun
        change, told = WRONG[kind]
        write(home / f"{name}.jsonl", change(rows()))
        with pytest.raises(InputError) as caught:
            inputs.refuse_others(config, folder)
        field = {"train": "task.train_file", "test": "task.eval_file"}[name]
        assert f"{field} ({home / name}.jsonl): {told}" in str(caught.value)
        assert "another --run_dir" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_the_same_in_another_form_go_on(self, begun):
        config, folder, home = begun
        path = home / "train.jsonl"
        path.write_text("".join(
            json.dumps(dict(reversed(row.items())), indent=None) + " \n"
            for row in rows()
        ))  # fmt: skip
        os.utime(path, (0, 0))
        inputs.refuse_others(config, folder)

    def test_a_further_column_counts_since_a_reward_may_read_it(self, begun):
        config, folder, home = begun
        write(home / "train.jsonl", [row | ({"level": 1} if row["id"] == "q2" else {})
                                     for row in rows()])  # fmt: skip
        with pytest.raises(InputError, match=r"1 of 6 problems differs, number 3 \(id 'q2'\)"):
            inputs.refuse_others(config, folder)

    def test_the_same_in_another_place_go_on(self, begun):
        config, folder, home = begun
        write(home / "elsewhere.jsonl.gz", rows())
        other = moved(config, task={"train_file": str(home / "elsewhere.jsonl.gz")})
        folder.refuse_drift(other)
        inputs.keep(other, folder, inputs.refuse_others(other, folder))
        write(home / "elsewhere.jsonl.gz", rows(7))
        with pytest.raises(InputError, match=r"elsewhere\.jsonl\.gz\): 6 problems then, 7 now"):
            inputs.refuse_others(other, folder)

    def test_others_in_another_place_are_refused_with_both(self, begun):
        config, folder, home = begun
        write(home / "more.jsonl", rows(7))
        with pytest.raises(InputError, match=r"train\.jsonl then, .*more\.jsonl now\): 6 problems"):
            inputs.refuse_others(moved(config, task={"train_file": str(home / "more.jsonl")}),
                                 folder)  # fmt: skip

    def test_a_path_may_not_change_where_nothing_is_known_of_it(self, begun):
        config, folder, home = begun
        folder.inputs_file.unlink()
        with pytest.raises(ConfigError, match=r"task\.train_file"):
            folder.refuse_drift(moved(config, task={"train_file": str(home / "test.jsonl")}))

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"task.train_file": {"digest": 3}}', "3"])
    def test_a_damaged_record_is_made_anew(self, begun, text):
        config, folder, _ = begun
        known = folder.inputs_file.read_text()
        folder.inputs_file.write_text(text)
        inputs.keep(config, folder, inputs.refuse_others(config, folder))
        assert json.loads(folder.inputs_file.read_text()) == json.loads(known)

    def test_a_folder_without_a_run_is_not_compared(self, begun):
        config, folder, home = begun
        folder.config_file.unlink()
        write(home / "train.jsonl", rows(2))
        inputs.refuse_others(config, folder)


def asked(train, held_out) -> Any:
    """A task in words of some rows."""
    train, held_out = ([Problem(**row) for row in part] for part in (train, held_out))
    return SimpleNamespace(problems=Split(train, held_out))


class TestAnyProblems:
    """Whatever they come from, as the hub, of which the config names no file."""

    @pytest.fixture
    def kept(self, begun):
        config, folder, _ = begun
        task = asked(rows(), rows(2))
        inputs.keep(config, folder, {}, inputs.refuse_other_problems(folder, task))
        inputs.refuse_other_problems(folder, asked(rows(), rows(2)))
        return folder

    @pytest.mark.parametrize("kind", WRONG)
    def test_others_are_refused_by_what_differs(self, kept, kind):
        change, told = WRONG[kind]
        with pytest.raises(InputError, match=f"problems to train on: {re.escape(told)}"):
            inputs.refuse_other_problems(kept, asked(change(rows()), rows(2)))

    def test_an_evaluation_looks_at_those_held_out(self, kept):
        inputs.refuse_other_problems(kept, asked(rows(3), rows(2)), [inputs.HELD_OUT])
        with pytest.raises(InputError, match="held out: 2 problems then, 1 now: the last 1 are"):
            inputs.refuse_other_problems(kept, asked(rows(3), rows(1)), [inputs.HELD_OUT])

    def test_a_task_of_no_problems_has_nothing_to_compare(self, kept):
        assert inputs.refuse_other_problems(kept, cast(Any, SimpleNamespace())) == {}

    def test_a_folder_that_knows_none_is_not_compared(self, begun):
        _, folder, _ = begun
        inputs.refuse_other_problems(folder, asked(rows(), rows(2)))


def spoil(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


class TestModel:
    @pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
    def test_one_byte_of_a_file(self, begun, name):
        config, folder, home = begun
        spoil(home / "model" / name)
        with pytest.raises(InputError) as caught:
            inputs.refuse_others(config, folder, inputs.MODEL)
        told = f"model.source ({home / 'model'}): {name} holds something else ("
        assert told in str(caught.value)

    def test_files_that_came_went_and_grew(self, begun):
        config, folder, home = begun
        (home / "model" / "generation_config.json").write_text("{}")
        (home / "model" / "config.json").unlink()
        (home / "model" / "tokenizer_config.json").write_text("{}")
        with pytest.raises(InputError) as caught:
            inputs.refuse_others(config, folder)
        assert "generation_config.json was not there" in str(caught.value)
        assert "config.json is gone" in str(caught.value)
        assert "is 2 bytes" in str(caught.value)

    def test_times_places_and_files_that_are_not_read_do_not_matter(self, begun):
        config, folder, home = begun
        os.utime(home / "model" / "model.safetensors", (0, 0))
        for name in ("README.md", "trainer_state.json", "adapter_model.safetensors", "x.bin"):
            (home / "model" / name).write_text("{}")
        inputs.refuse_others(config, folder)
        (home / "model").rename(home / "there")
        other = moved(config, model={"source": str(home / "there")})
        folder.refuse_drift(other)
        inputs.refuse_others(other, folder)

    def test_a_base_of_a_warm_up_is_known_from_its_making_on(self, begun):
        config, folder, home = begun
        warm = moved(config, warmup={"steps": 3}, lora={"rank": 0})
        shutil.copytree(home / "model", folder.base)
        inputs.keep(warm, folder, {})
        spoil(home / "model" / "model.safetensors")  # Which is not read again.
        inputs.refuse_others(warm, folder)
        spoil(folder.base / "model.safetensors")
        with pytest.raises(InputError, match=r"the warmed-up base \(.*base\): model.safetensors"):
            inputs.refuse_others(warm, folder)

    def test_processes_that_read_other_weights_are_refused(self, begun, monkeypatch):
        config, folder, home = begun
        mine = {f"model.source {home / 'model'}": "0" * 12}
        gather = hosts.gather
        monkeypatch.setattr(hosts, "gather", lambda value: [*gather(value), mine])
        with pytest.raises(HostsError, match=r"model.source .*on process 0, 0+ on process 1"):
            inputs.refuse_others(config, folder, inputs.MODEL)


class TestDigests:
    def test_of_files_that_a_pattern_names(self, tmp_path):
        pattern, parts = (
            str(tmp_path / "p-*.parquet"),
            [tmp_path / f"p-{i}.parquet" for i in (1, 2)],
        )
        parts[0].write_bytes(b"12")
        assert digests.of_data(pattern) == digests.of_file(parts[0])
        parts[1].write_bytes(b"3")
        known = digests.of_data(pattern)
        assert known.startswith("3 bytes in 2 files, sha256 ")
        for part, data in zip(parts, (b"1", b"23"), strict=True):
            part.write_bytes(data)
        assert digests.of_data(pattern) not in ("", known)
        assert digests.of_data(str(tmp_path / "none")) == ""

    def test_of_a_hub_snapshot_is_its_commit(self, monkeypatch, tmp_path):
        at = tmp_path / "models--me--mine" / "snapshots" / ("a1" * 20)
        monkeypatch.setattr(models, "locate", lambda source: at)
        assert digests.of_model("me/mine") == {"commit": "a1" * 20}

    def test_of_objects_in_a_bucket_are_told_by_it(self, monkeypatch):
        held = {name: {"size": 5, "crc32c": name[:2]} for name in
                ("config.json", "a.safetensors", "notes.md", "m.gguf")}  # fmt: skip
        monkeypatch.setattr(paths, "inventory", lambda folder: held)
        monkeypatch.setattr(paths, "is_remote", lambda path: True)
        at = paths.Path("bucket/model")
        monkeypatch.setattr(models, "locate", lambda source: at / source)
        assert digests.of_model("") == {
            "a.safetensors": "5 bytes, crc32c a.", "config.json": "5 bytes, crc32c co",
        }  # fmt: skip
        assert digests.of_model("m.gguf") == {"m.gguf": "5 bytes, crc32c m."}

    def test_of_a_large_file_are_of_places_in_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr(digests, "WHOLE", 1000)
        monkeypatch.setattr(digests, "_PLACE", 16)
        monkeypatch.setattr(digests, "_PLACES", 8)
        path = tmp_path / "large.gguf"
        data = random.Random(0).randbytes(5000)
        path.write_bytes(data)
        known = digests.of_file(path)
        assert "of places" in known
        for place in (0, 4990):
            path.write_bytes(data[:place] + b"!" + data[place + 1 :])
            assert digests.of_file(path) != known
        path.write_bytes(data)
        assert digests.of_file(path) == known

    def test_of_large_safetensors_look_into_every_tensor(self, tmp_path, monkeypatch):
        import numpy as np
        from safetensors.numpy import save_file

        monkeypatch.setattr(digests, "WHOLE", 1000)
        monkeypatch.setattr(digests, "_PLACE", 16)
        monkeypatch.setattr(digests, "_PLACES", 2)
        tensors = {f"t{i}": np.arange(400, dtype=np.float32) for i in range(5)}
        path = tmp_path / "model.safetensors"
        known = set()
        for name in ("none", *tensors):
            changed = {n: x + (n == name) for n, x in tensors.items()}
            save_file({n: x.astype(np.float32) for n, x in changed.items()}, path)
            known.add(digests.of_file(path))
        assert len(known) == 6
