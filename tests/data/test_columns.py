"""What functions are given of a completion and its problem, by the names of their arguments."""

import pytest

from sage_jax.data.columns import Columns
from sage_jax.data.problem import Problem
from sage_jax.parts import Part, RewardSpec

EASY = Problem("a", "1+1?", "2", extra={"level": 1, "tag": "sum", "prompt": "not ours"})
BARE = Problem("b", "2+2?", "4")


def columns(function, **options):
    return Columns(Part("reward.0", RewardSpec(use="m:f"), function, options), ["seed"])


def test_one_completion_gets_columns_by_their_names():
    def wants(completion, problem, prompt, level, tag="none", *, answer, target=3):
        pass

    found = columns(wants)
    own = {"completion": "so 2", "problem": EASY, "prompt": "1+1?", "answer": "2"}
    assert found.of_one("so 2", EASY) == own | {"level": 1, "tag": "sum"}
    # What a row lacks is None, or the default.
    assert found.of_one("so 4", BARE) == {
        "completion": "so 4", "problem": BARE, "prompt": "2+2?", "answer": "4", "level": None,
    }  # fmt: skip
    assert columns(lambda completion, **rest: 0).of_one("x", BARE).keys() == {
        "completion", "problem", "prompt", "answer", "solution", "source", "id",
    }  # fmt: skip


def test_a_batch_gets_lists_under_either_number():
    def wants(completions, answers, level, tags, prompts):
        pass

    assert columns(wants).of_batch(["x", "y"], [BARE, EASY]) == {
        "completions": ["x", "y"], "answers": ["4", "2"], "level": [None, 1],
        "tags": [None, "sum"], "prompts": ["2+2?", "1+1?"],
    }  # fmt: skip
    everything = columns(lambda completions, **rest: 0).of_batch(["x"], [EASY])
    assert everything["level"] == everything["levels"] == [1]
    assert everything["prompt"] == everything["prompts"] == ["1+1?"]
    assert "completion" not in everything


def test_what_a_config_gives_or_may_give_is_no_column():
    def wants(completion, level, seed, *, tag="x", **rest):
        pass

    assert columns(wants, level=7).of_one("x", EASY).keys().isdisjoint({"level", "seed", "tag"})
    assert columns(wants, level=7).missing([BARE]) == ([], [])


@pytest.mark.parametrize(
    ("function", "missing"),
    [
        (lambda completion, level, difficulty: 0, ["difficulty"]),
        (lambda completion, levels: 0, ["levels"]),
        (lambda completions, levels, tags: 0, []),
        (lambda completion, tokens, answers: 0, ["answers", "tokens"]),
        (lambda completion, difficulty=None: 0, []),
    ],
)
def test_which_columns_no_problem_has(function, missing):
    assert columns(function).missing([BARE, EASY]) == (missing, ["level", "prompt", "tag"])
