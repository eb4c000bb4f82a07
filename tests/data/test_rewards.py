"""Rewards of the user's own: the forms in which they may be written, and what is refused."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.data.problem import Problem
from sage_jax.data.rewards import Batch, RewardError, closed_on_failure, make_reward
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
"""

BATCH = Batch(
    ["12", "is it 12", "no"],
    [Problem("p", "5 + 7?", "12", solution="So 12.")] * 3,
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
    ],
)
def test_each_form_gives_rewards(use, options, rewards, reasons):
    reward = make(use, **options)
    given = reward.score(BATCH)
    assert given.rewards.dtype == np.float32
    assert given.rewards.tolist() == rewards
    assert given.reasons == reasons
    assert (reward.name, reward.weight) == (use.rpartition(":")[2], 1.0)


def test_the_verifier_gives_verdicts_and_is_closed(pool):
    reward = make_reward(
        RewardSpec(use="math", weight=0.5), field="reward.0", num_workers=1, deadline_s=5.0
    )
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
        ("short", r"gives \[1.0\]; 3 numbers are needed"),
        ("wordy", "gives 'good', which is no finite number"),
    ],
)  # fmt: skip
def test_what_is_no_reward_is_told(use, message):
    with pytest.raises(RewardError, match=message):
        make(f"my_rewards:{use}").score(BATCH)


def test_what_is_no_form_is_refused():
    with pytest.raises(ConfigError, match=r"gives 1, which has no score\(pairs\)"):
        make("my_rewards:no_judge")


def test_token_rewards_are_compiled_once():
    reward = make("my_rewards:early", stop=1)
    for _ in range(2):
        found = reward.score(BATCH._replace(tokens=jnp.array(BATCH.tokens)))
        assert found.rewards.tolist() == [0.0, 1.0, 1.0]
