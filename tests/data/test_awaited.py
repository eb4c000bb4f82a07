"""Rewards that are `async`: awaited together, late ones lost, faults told as of others."""

import asyncio
import threading

import pytest

from sage_jax.data.awaited import Awaited
from sage_jax.data.calls import Call, RewardError
from sage_jax.data.problem import Problem
from sage_jax.parts import Part, RewardSpec

RELEASED = threading.Event()
PROBLEM = Problem("p", "5 + 7?", "12", extra={"level": 3})


async def reward(completion, answer, level):
    if completion == "late":
        await asyncio.sleep(600)
    if completion == "raise":
        raise KeyError("gone")
    if completion == "block":
        RELEASED.wait()
    await asyncio.sleep(0)
    return level if completion != "nan" else float("nan"), f"{completion} {answer}"


async def batch(completions, level):
    if "late" in completions:
        await asyncio.sleep(600)
    return [float(len(text)) for text in completions] if "one" not in completions else 1.0


class Waiting:
    async def __call__(self, completion):
        return completion == "right"


def make(function, deadline_s):
    call = Call(Part("reward.0", RewardSpec(use="m:f"), function, {}), {})
    assert call.is_async
    return Awaited(call, deadline_s=deadline_s)


@pytest.fixture
def ones():
    made = make(reward, 0.2)
    yield lambda *texts: made.ones(list(texts), [PROBLEM] * len(texts))
    made.close()


def test_late_ones_are_lost_alone(ones):
    assert ones("a", "late", "b") == [(3.0, "a 12"), (0.0, "deadline"), (3.0, "b 12")]


@pytest.mark.parametrize(
    ("text", "message"),
    [("raise", r"KeyError: gone \(.*test_awaited.py, line \d+\)"), ("nan", "gives nan, which")],
)  # fmt: skip
def test_faults_name_the_completion(ones, text, message):
    with pytest.raises(RewardError, match=f"^reward.0 m:f: {message}.*on problem 'p' and '{text}'"):
        ones("a", text)


def test_one_that_blocks_is_told(monkeypatch):
    monkeypatch.setattr("sage_jax.rewards.awaiting._TO_LEAVE_S", 0.02)
    made = make(reward, 0.02)
    with pytest.raises(RewardError, match=r"reward.0 m:f: blocks its event loop: await what takes"):
        made.ones(["block"], [PROBLEM])
    RELEASED.set()
    made.close()


def test_a_batch_is_one_call():
    made = make(batch, 0.2)
    assert made.batch(["a", "bc"], [PROBLEM] * 2) == [(1.0, "correct"), (2.0, "correct")]
    assert made.batch(["a", "late"], [PROBLEM] * 2) == [(0.0, "deadline")] * 2
    with pytest.raises(RewardError, match=r"gives 1.0; 2 numbers are needed"):
        made.batch(["a", "one"], [PROBLEM] * 2)
    made.close()


def test_an_object_that_is_called_and_awaited():
    made = make(Waiting(), 60.0)
    assert made.ones(["right", "no"], [PROBLEM] * 2) == [(1.0, "correct"), (0.0, "wrong")]
    made.close()
