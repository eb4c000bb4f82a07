"""The whole loop in several real processes on this machine, as on the hosts of a pod."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from typing import Any

import held
import pytest
from fast_compile import xla_flags
from runs import StopAt, assert_close, entries

from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import Stopped
from sage_jax.run.warmup import open_and_warm_up

pytestmark = pytest.mark.slow

HEARTBEAT_S = 20
# Sums over the devices of several processes are taken in another order than those of one, and Adam
# divides by their size: where a gradient is nearly zero, a rounding error becomes a step.
CLOSE: Any = {"rtol": 3e-4, "atol": 1e-5}


def reserved_port():
    """A socket whose port nobody else is given; gRPC, which shares ports, may listen on it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    return held


class Pod:
    """`sage-jax` in some processes of some CPU devices each; what they print goes to files.

    With `hold_at` all of them wait before the step of that number, see `signal_there`.
    """

    def __init__(self, folder, command, *, processes, devices, hold_at=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.held = reserved_port()
        port = self.held.getsockname()[1]
        self.folder = folder
        self.outputs = [folder / f"process-{index}.txt" for index in range(processes)]
        self.children = []
        for index, path in enumerate(self.outputs):
            environment = {
                **os.environ,
                "XLA_FLAGS": xla_flags(devices),
                "SAGE_HEARTBEAT_S": str(HEARTBEAT_S),
                "SAGE_DISTRIBUTED": f"127.0.0.1:{port},{processes},{index}" * (processes > 1),
            }
            if hold_at is not None:
                environment["HOLD_AT"] = f"{hold_at}:{folder}"
            words: Any = command(index) if callable(command) else command
            with path.open("w") as out:
                child = subprocess.Popen(
                    [sys.executable, held.__file__, *map(str, words)],
                    stdout=out, stderr=subprocess.STDOUT, env=environment,
                )  # fmt: skip
            self.children.append(child)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.kill()
            child.wait()
        self.held.close()

    def statuses(self, seconds=400):
        return [child.wait(timeout=seconds) for child in self.children]

    def said(self):
        return [path.read_text() for path in self.outputs]

    def signal_there(self, index, number):
        """Send one process a signal while all wait, and let them go on."""
        held.wait_until_held(self.folder, self.children)
        self.children[index].send_signal(number)
        (self.folder / "go").touch()


def assert_same(left, right, **close):
    for one, other in zip(entries(left), entries(right), strict=True):
        assert_close(one, other, **(CLOSE | close))
    assert EvalResult.load(left.eval_file("base")) == EvalResult.load(right.eval_file("base"))
    ends = [EvalResult.load(folder.eval_file("final")) for folder in (left, right)]
    assert ends[0] == ends[1]


def assert_met_at_start(folder):
    """Gloo says when it connects some devices. In a run it would only wait half a minute."""
    said = (folder.path.parent / "process-0.txt").read_text()
    assert said.rindex("[Gloo]") < said.index(" 1/4  reward")


@pytest.fixture(scope="module")
def words(make_words_config):
    """Problems in words: a warm-up, verifiers, and resampling of groups with equal rewards."""
    return make_words_config({
        "rollout": {
            "num_prompts": 8,
            "group_size": 2,
            "dynamic_sampling": 1,
            "max_completion_length": 12,
        },
        # With Adam's usual 1e-8 rounding alone makes whole steps where a gradient is nearly zero.
        "optimizer": {"learning_rate": 1e-3, "num_minibatches": 2, "eps": 1e-3},
        "lora": {"rank": 0},
        "warmup": {"steps": 60, "batch_size": 16, "learning_rate": 1e-2, "checkpoint_every": 60},
        "train": {"steps": 4, "checkpoint_every": 1, "eval_every": 2},
        "eval": {"num_problems": 4, "num_samples": 4, "batch_prompts": 8},
        "mesh": {"data": 4, "fsdp": 2},
    })  # fmt: skip


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """A function that trains a config in a new folder and returns it."""

    def run(config, *, processes, devices, folder=None):
        folder = folder or RunFolder(tmp_path_factory.mktemp("pod") / "run")
        home = folder.path.parent
        with Pod(home, command(home, config, folder), processes=processes, devices=devices) as pod:
            assert set(pod.statuses()) == {0}, "\n".join(pod.said())
        return folder

    return run


def command(home, config, folder):
    home.mkdir(exist_ok=True)
    path = home / "config.yaml"
    path.write_text(configs.dump(config))
    return ["train", path, "--run_dir", folder.path]


@pytest.fixture(scope="module")
def alone(train, words):
    """The run in words by one process of eight devices."""
    return train(words, processes=1, devices=8)


def on_one_device(config):
    return configs.override(config, {"mesh": {"data": 1, "fsdp": 1, "tensor": 1}})


def test_two_processes_are_one(train, words, alone):
    folder = train(words, processes=2, devices=4)
    assert_same(folder, alone)
    assert_met_at_start(folder)
    rewards = [entry["reward"] for entry in entries(folder)]
    assert 0 < min(rewards) < max(rewards)  # Or equality would say little.
    assert max(entry["groups/batches_drawn"] for entry in entries(folder)) == 2


def test_four_processes_are_one_with_adapters_and_share_rows_alike(train, words, byte_model):
    """Any printable character ends a row of a random model, so that most rows are short."""
    changes = {
        "model": {"source": str(byte_model)},
        "warmup": {"steps": 0},
        "lora": {"rank": 2},
        "rollout": {"stop": [chr(code) for code in range(33, 127)], "group_size": 4,
                    "dynamic_sampling": 0, "chunks": 2},
        "optimizer": {"num_minibatches": 1},
        "mesh": {"data": 2, "fsdp": 2, "tensor": 2},
    }  # fmt: skip
    config = configs.override(words, changes)
    four, one = train(config, processes=4, devices=2), train(config, processes=1, devices=8)
    assert_same(four, one)
    assert_met_at_start(four)
    for entry in entries(four):
        # Less than there would be of one row a completion.
        assert entry["padding"] < 0.9 * (1 - entry["length/mean"] / entry["length/max"])


def nearly_warmed_up(config, home, count):
    """Folders of runs that stand in one place: on one device, a few steps before a warm-up ends."""
    folders = [RunFolder(home / str(index) / "run") for index in range(count)]
    stop = StopAt(config.warmup.steps - 8)
    with pytest.raises(Stopped):
        open_and_warm_up(on_one_device(config), folders[0], stop, opened=lambda task: None)
    for other in folders[1:]:
        shutil.copytree(folders[0].path, other.path)
    return folders


def test_two_processes_are_one_where_the_device_judges(train, make_config, tmp_path):
    config = make_config({
        "rollout": {"num_prompts": 8},
        "warmup": {"steps": 150, "checkpoint_every": 150},
        "mesh": {"data": 2, "fsdp": 2, "tensor": 2},
    })  # fmt: skip
    left, right = nearly_warmed_up(config, tmp_path, 2)
    two = train(config, processes=2, devices=4, folder=left)
    one = train(config, processes=1, devices=8, folder=right)
    assert_same(two, one)
    assert_met_at_start(two)


def test_a_run_changes_machines_and_ends_as_if_it_had_not(words, alone, train, tmp_path):
    """One device, two processes that stop, two of which one is lost, and one device again."""
    folder = RunFolder(tmp_path / "run")
    small = command(tmp_path / "small", on_one_device(words), folder)
    large = command(tmp_path / "large", words, folder)
    with Pod(tmp_path / "a", small, processes=1, devices=1, hold_at=1) as pod:
        pod.signal_there(0, signal.SIGTERM)
        assert pod.statuses() == [143], pod.said()
    with Pod(tmp_path / "b", large, processes=2, devices=4, hold_at=2) as pod:
        pod.signal_there(1, signal.SIGTERM)
        assert pod.statuses() == [143, 143], pod.said()  # A stop of one is a stop of all.
    with Pod(tmp_path / "c", large, processes=2, devices=4, hold_at=3) as pod:
        pod.signal_there(1, signal.SIGKILL)
        assert pod.children[0].wait(timeout=400) != 0
        said = pod.said()[0]
    assert "The following tasks are unhealthy (stopped sending heartbeats):\n1\n" in said
    train(on_one_device(words), processes=1, devices=1, folder=folder)
    # The warm-up's 60 updates of Adam, on one device here and on eight there, add up their
    # rounding: 3.2e-4 was seen.
    assert_same(folder, alone, rtol=1e-3)


def test_different_programs_are_refused_everywhere(words, tmp_path):
    def each(index):
        home = tmp_path / str(index)
        home.mkdir()
        config = configs.override(words, {"seed": index})
        return command(home, config, RunFolder(tmp_path / "run"))

    with Pod(tmp_path, each, processes=2, devices=1) as pod:
        assert 0 not in pod.statuses()
        for said in pod.said():
            assert "do not run the same program on the same data (config: " in said
            assert "on process 0, " in said
    assert not (tmp_path / "run").exists()


def test_a_process_that_fails_tells_the_others(words, tmp_path):
    def each(index):
        home = tmp_path / str(index)
        home.mkdir()
        words_here = command(home, words, RunFolder(tmp_path / "run"))
        return words_here if index == 0 else [*words_here, "--rollout.num_promptz", "3"]

    with Pod(tmp_path, each, processes=2, devices=4) as pod:
        assert pod.statuses() == [2, 2]
        assert "sage-jax: process 1 failed: it said why itself" in pod.said()[0]
        assert "Unrecognized options: --rollout.num_promptz" in pod.said()[1]
