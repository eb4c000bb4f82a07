"""Rewards of the user's own: the forms in which they may be written, and what is refused."""

import dataclasses
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.data.problem import Problem
from sage_jax.data.rewards import (
    Batch,
    Given,
    Reward,
    RewardError,
    closed_on_failure,
    make_reward,
    refuse_missing_columns,
)
from sage_jax.faults import ConfigError
from sage_jax.parts import RewardSpec

OWN = """
import jax.numpy as jnp
from sage_jax.rewards import Verdict


def brevity(completion, *, target: int):
    return min(1.0, target / max(len(completion), 1))


def reasoned(problem, completion, answer):
    right = problem.answer == answer and completion.endswith(answer)
    return float(right), "ends so" if right else "ends otherwise"


def batched(completions, answers, prompts, **kwargs):
    assert set(kwargs) >= {"answer", "solution", "id"}
    return [float(a in c) for c, a in zip(completions, answers)]


def early(tokens, mask, *, stop: int = 9):
    return jnp.where(mask > 0, tokens == stop, False).any(axis=1)


class Strict:
    def __init__(self, *, prefix: str = ""):
        self.prefix, self.closed = prefix, False

    def score(self, pairs):
        right = [text.startswith(self.prefix + gold) for text, gold, question in pairs]
        return [Verdict.of("correct" if one else "wrong") for one in right]

    def answer(self, completion):
        return completion[:2]

    def close(self):
        self.closed = True


def failing(completion):
    return {}[completion]


def silent(completion):
    return None


def endless(completion):
    return float("nan")


def short(completions):
    return [1.0]


def wordy(completions):
    return ["good"] * len(completions)


def no_judge(*, size: int = 1):
    return size


def cost(completion, level):
    return -float(level or 0)


async def waiting(completion, level=0):
    return level


async def in_jax(tokens, mask):
    return mask


def spelled(completion, tokenizer):
    return 1.0


def sums(tokens):
    return tokens.sum()


def leaving(completion):
    raise SystemExit


class Failing:
    def score(self, pairs):
        return [{"late": 1}[gold] for _, gold, _ in pairs]

    def answer(self, completion):
        return 3

    def close(self):
        raise ValueError("cannot close")


class Waiting:
    async def score(self, pairs):
        return []
"""

BATCH = Batch(
    ["12", "is it 12", "no"],
    [Problem("p", "5 + 7?", "12", solution="So 12.", extra={"level": 3})] * 3,
    np.array([[9, 1], [1, 9], [1, 1]]),
    np.array([[1, 0], [1, 0], [1, 1]]),
)


@pytest.fixture(autouse=True)
def _own(tmp_path, monkeypatch):
    (tmp_path / "my_rewards.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_rewards", None)


def make(use, **options):
    return make_reward(RewardSpec(use=use, **options), field="reward.0", seed=0)


@pytest.mark.parametrize(
    ("use", "options", "rewards", "reasons"),
    [
        ("my_rewards:brevity", {"target": 4}, [1.0, 0.5, 1.0], ["correct"] * 3),
        ("my_rewards:reasoned", {}, [1.0, 1.0, 0.0], ["ends so", "ends so", "ends otherwise"]),
        ("my_rewards:batched", {}, [1.0, 1.0, 0.0], ["correct", "correct", "wrong"]),
        ("my_rewards:early", {}, [1.0, 0.0, 0.0], ["correct", "wrong", "wrong"]),
        ("my_rewards:Strict", {}, [1.0, 0.0, 0.0], ["correct", "wrong", "wrong"]),
        ("boxed", {}, [0.0, 0.0, 0.0], ["wrong"] * 3),
        ("matches", {"pattern": "is.*"}, [0.0, 1.0, 0.0], ["wrong", "correct", "wrong"]),
        ("number", {}, [1.0, 1.0, 0.0], ["correct", "correct", "no_answer"]),
        ("my_rewards:cost", {}, [-3.0] * 3, ["wrong"] * 3),
        ("my_rewards:cost", {"level": 5}, [-5.0] * 3, ["wrong"] * 3),
        ("my_rewards:waiting", {"deadline_s": 60}, [3.0] * 3, ["correct"] * 3),
    ],
)
def test_each_form_gives_rewards(use, options, rewards, reasons):
    reward = make(use, **options)
    given = reward.score(BATCH)
    assert given.rewards.dtype == np.float32
    assert given.rewards.tolist() == rewards
    assert given.reasons == reasons
    assert (reward.name, reward.weight) == (use.rpartition(":")[2], 1.0)
    reward.close()


def test_the_verifier_gives_verdicts_and_is_closed(pool):
    reward = make_reward(
        RewardSpec(use="math", weight=0.5, deadline_s=7.0), field="reward.0", num_workers=1,
        deadline_s=5.0,
    )  # fmt: skip
    assert reward.judge._shared.deadline_s == 7.0
    assert reward.score(BATCH._replace(completions=[r"\boxed{12.0}", "", "12"])).reasons == [
        "correct", "no_answer", "no_answer",
    ]  # fmt: skip
    reward.close()
    with pytest.raises(RuntimeError, match="closed"):
        reward.score(BATCH._replace(completions=[r"\boxed{3!+6}"] * 3))


def test_a_judge_of_ones_own_gives_answers_and_is_closed():
    made = []

    def rewards():
        made.append(make("my_rewards:Strict", prefix="x"))
        yield made[0]
        yield make("my_rewards:missing")

    with pytest.raises(ConfigError, match="has no function 'missing'"):
        closed_on_failure(rewards())
    assert made[0].judge.closed
    assert made[0].answer("12 is it") == "12"
    assert make("boxed").answer(r"so \boxed{7}") == "7"


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("failing", r"my_rewards:failing: KeyError: 12 \(.*my_rewards.py, line 40\), on problem"),
        ("silent", "gives None, which is no finite number, on problem 'p' and '12'"),
        ("endless", "gives nan, which is no finite number"),
        ("short", "gives 1 numbers for 3 completions"),
        ("wordy", "gives 'good', which is no finite number"),
        ("sums", "3 numbers are needed"),
        ("leaving", r"SystemExit: .*my_rewards.py, line \d+\), on problem 'p' and '12'"),
        ("Failing", r"reward.0 my_rewards:Failing: KeyError: 12 \(.*my_rewards.py, line \d+\)"),
        ("Waiting", r"score\(\) gives a coroutine: define it by `def`"),
    ],
)  # fmt: skip
def test_what_is_no_reward_is_told(use, message):
    with pytest.raises(RewardError, match=message):
        make(f"my_rewards:{use}").score(BATCH)


def test_other_faults_of_a_judge_are_told_too():
    judge = make("my_rewards:Failing")
    with pytest.raises(RewardError, match=r"answer\(\) gives 3, which is no text"):
        judge.answer("12")
    with pytest.raises(RewardError, match="my_rewards:Failing: cannot close"):
        judge.close()


@pytest.mark.parametrize(
    ("use", "options", "message"),
    [
        ("my_rewards:early", {"isolate": True}, "computes on this process's devices"),
        ("my_rewards:Strict", {"isolate": True}, "is a judge, called here, so that `isolate`"),
        ("math", {"isolate": True}, "is a judge, called here"),
        ("my_rewards:waiting", {"isolate": True}, "is async, and awaited here: leave `isolate`"),
        ("my_rewards:in_jax", {}, "is async, which rewards of a completion"),
        ("my_rewards:spelled", {"isolate": True}, "asks for tokenizer, which worker processes"),
        ("__main__:f", {"isolate": True}, "lies in no file"),
        ("boxed", {"memory_gb": 1}, "has no memory limit but with `isolate: true`"),
        ("boxed", {"deadline_s": 1}, "has no deadline but with `isolate: true`"),
    ],
)
def test_what_does_not_go_together_is_refused(monkeypatch, use, options, message):
    monkeypatch.setattr(sys.modules["__main__"], "f", lambda completion: 1.0, raising=False)
    with pytest.raises(ConfigError, match=f"^reward.0: {use} {message}"):
        make(use, **options)


def test_a_column_that_no_problem_has_is_refused():
    rewards = [make("boxed"), make("my_rewards:cost")]
    refuse_missing_columns(rewards, BATCH.problems)
    refuse_missing_columns([make("my_rewards:cost", level=1)], [Problem("p", "?", "1")])
    for extra, there in [
        ({"levels": 1}, r"perhaps levels\?\); there are levels"),
        ({}, "there are none"),
    ]:
        with pytest.raises(ConfigError, match=f"my_rewards:cost asks for 'level', which .*{there}"):
            refuse_missing_columns(rewards, [Problem("p", "?", "1", extra=extra)])


def test_what_is_no_form_is_refused():
    with pytest.raises(ConfigError, match=r"gives 1, which has no score\(pairs\)"):
        make("my_rewards:no_judge")


def test_how_much_is_correct_may_be_said():
    given = np.array([0.0, 0.2, 0.9], np.float32)
    assert make("boxed").correct(given).tolist() == [False, True, True]
    assert make("boxed", correct_from=0.9).correct(given).tolist() == [False, False, True]
    partly = Reward("r", 1.0, lambda _: Given(given, ["wrong", "correct", "correct"]))
    assert partly.score(BATCH).reasons == ["wrong", "correct", "correct"]
    partly = dataclasses.replace(partly, correct_from=0.9)
    assert partly.score(BATCH).reasons == ["wrong", "partial", "correct"]


def test_token_rewards_are_compiled_once():
    reward = make("my_rewards:early", stop=1)
    for _ in range(2):
        found = reward.score(BATCH._replace(tokens=jnp.array(BATCH.tokens)))
        assert found.rewards.tolist() == [0.0, 1.0, 1.0]


def test_long_completions_are_punished_softly():
    lengths = np.array([1, 6, 7, 8, 9, 10])
    mask = (np.arange(10) < lengths[:, None]).astype(np.float32)
    batch = Batch([""] * 6, BATCH.problems * 2, np.zeros((6, 10), np.int32), mask)
    for cache, expected in [(4, [0, 0, -0.25, -0.5, -0.75, -1]), (1, [0, 0, 0, 0, 0, -1])]:
        for kind in (np.float32, np.int32, bool):
            found = make("overlong", cache=cache).score(batch._replace(mask=mask.astype(kind)))
            np.testing.assert_allclose(found.rewards, expected, atol=1e-6)
    for cache in (0, 11):
        with pytest.raises(RewardError, match=rf"cache is {cache}; it must be from 1 to the 10"):
            make("overlong", cache=cache).score(batch)
