"""Rewards in worker processes: the same rewards and messages, and what only they survive."""

import subprocess
import sys

import numpy as np
import pytest

from sage_jax.data.problem import Problem
from sage_jax.data.rewards import Batch, RewardError, make_reward
from sage_jax.parts import RewardSpec
from sage_jax.rewards import LOST, VerifierError

OWN = """
import ctypes
import os
import re
import time

import numpy as np


def hostile(completion, problem, level, seed, *, most: float = 1.0):
    if completion == "exit":
        os._exit(3)
    if completion == "segfault":
        ctypes.string_at(0)
    if completion == "recursion":
        return hostile(completion, problem, level, seed)
    if completion == "regex":
        return re.match("(a+)+$", "a" * 60 + "b")
    if completion == "memory":
        return len(bytearray(10**12))
    if completion == "sleep":
        time.sleep(600)
    if completion == "raise":
        raise KeyError("gone")
    if completion == "leave":
        raise SystemExit(2)
    if completion == "nan":
        return np.float32("nan")
    assert (problem.extra["level"], seed) == (level, 7)
    return np.float32(min(level, most)), f"{problem.answer} of {completion}"


def lengths(completions, levels, **kwargs):
    if "exit" in completions:
        os._exit(3)
    return np.array([len(text) * (level or 0) for text, level in zip(completions, levels)])


def broken(completion):
    os._exit(3)
"""

PROBLEMS = [Problem("p", "5 + 7?", "12", extra={"level": 3}), Problem("q", "1?", "1")]


@pytest.fixture(scope="module", autouse=True)
def _own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "isolated_rewards.py").write_text(OWN)
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))
    sys.modules.pop("isolated_rewards", None)


def make(name, **options):
    spec = RewardSpec(use=f"isolated_rewards:{name}", isolate=True, **options)
    return make_reward(spec, field="reward.0", seed=7, num_workers=1, deadline_s=0.4)


@pytest.fixture(scope="module")
def hostile():
    made = make("hostile", most=2)
    yield made
    made.close()


def score(reward, *texts, problem=PROBLEMS[0]):
    return reward.score(Batch(list(texts), [problem] * len(texts), np.zeros(0), np.zeros(0)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("exit", "crashed"), ("segfault", "crashed"), ("recursion", "crashed"),
     ("memory", "memory"), ("regex", "deadline"), ("sleep", "deadline")],
)  # fmt: skip
def test_what_would_end_or_hang_a_run_loses_its_reward_alone(hostile, text, reason):
    found = score(hostile, "a", text, "b")
    assert found.rewards.tolist() == [2.0, 0.0, 2.0]
    assert found.reasons == ["12 of a", reason, "12 of b"]
    assert reason in LOST


@pytest.mark.parametrize(
    ("text", "message"),
    [("raise", r"KeyError: gone \(.*isolated_rewards.py, line 24\)"),
     ("leave", r"SystemExit: 2 \(.*isolated_rewards.py, line 26\)"),
     ("nan", "gives .*nan.*, which is no finite")],
)  # fmt: skip
def test_faults_are_told_as_of_a_reward_in_this_process(hostile, text, message):
    message = rf"^reward.0 isolated_rewards:hostile: {message}.*, on problem 'p' and '{text}'$"
    with pytest.raises(RewardError, match=message):
        score(hostile, "a", text)


def test_a_batch_is_one_call():
    reward = make("lengths", deadline_s=30.0)
    batch = Batch(["ab", "abc"], PROBLEMS, np.zeros(0), np.zeros(0))
    assert reward.score(batch).rewards.tolist() == [6.0, 0.0]
    lost = score(reward, "a", "exit")
    assert (lost.rewards.tolist(), lost.reasons) == ([0.0, 0.0], ["crashed"] * 2)
    reward.close()


def test_one_of_ours_can_be_isolated():
    options = {"use": "matches", "isolate": True, "pattern": "(a+)+$"}
    spec = RewardSpec.model_validate(options)
    reward = make_reward(spec, field="reward.0", num_workers=1, deadline_s=0.4)
    assert score(reward, "aa", "b", "a" * 60 + "b").reasons == ["correct", "wrong", "deadline"]
    reward.close()


def test_one_that_never_works_ends_soon_and_leaves_no_process(monkeypatch):
    monkeypatch.setattr("sage_jax.data.isolated._GIVE_UP", 2)
    reward = make("broken")
    with pytest.raises(VerifierError, match=r"reward.0 isolated_rewards:broken: all of the first"):
        score(reward, *"abc")
    workers = reward.judge._pool._shared.workers
    reward.close()
    assert not workers
    with pytest.raises(VerifierError):
        score(reward, "a")


def test_what_a_worker_imports_is_no_jax():
    code = "import sys, sage_jax.data.isolated; assert not {'jax', 'flax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
