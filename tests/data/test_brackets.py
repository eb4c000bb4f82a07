"""The bracket puzzle against plain Python: derivations, rewards, and the split."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.data import brackets
from sage_jax.data.token_task import PuzzleTask

COMBINE = [lambda x, y: (x - y) % 17, lambda x, y: (x + 2 * y) % 17, lambda x, y: (x * y + y) % 17]
# Mode -> (first pair, third, whether the third stands on the right), spelt out by hand.
ORDERS = ["ab.c", "a.bc", "ac.b", "bc.a", "b.ac", "c.ab"]


def by_hand(a, b, c, mode, first, second):
    left, right = ORDERS[mode].split(".")
    pair, third = (left, right) if len(left) == 2 else (right, left)
    value = dict(zip("abc", (a, b, c), strict=True))
    x, y = (value[name] for name in pair)
    inner, w = COMBINE[first](x, y), value[third]
    outer = COMBINE[second](inner, w) if len(left) == 2 else COMBINE[second](w, inner)
    return [brackets.MODES + mode, x, brackets.OPERATORS + first, y, inner, w, outer, brackets.END]


def test_all_derivations_match_plain_python():
    prompt = [brackets.BLANK, 3, 11, 16, brackets.OPERATORS + 2, 5]
    tokens, right = brackets.solutions(jnp.array([prompt], jnp.int32))
    expected = [by_hand(3, 11, 16, mode, first, 2)
                for mode, first in itertools.product(range(6), range(3))]  # fmt: skip
    np.testing.assert_array_equal(tokens[0], expected)
    np.testing.assert_array_equal(right[0], [row[6] == 5 for row in expected])


@pytest.mark.parametrize("hold_out", [False, True])
def test_planted_derivations_are_rewarded_and_lie_on_their_side_of_the_split(hold_out):
    problems = brackets.draw(jax.random.key(0), 500, brackets.PLAY, hold_out=hold_out)
    numbers = np.asarray(problems.prompts[:, 1:4])
    np.testing.assert_array_equal((numbers @ [1, 2, 3]) % 8 == 0, hold_out)
    whole = jnp.ones(problems.planted.shape, jnp.float32)
    rewards = brackets.reward(problems.prompts, problems.planted, whole)
    np.testing.assert_array_equal(rewards, 1)


def test_every_change_of_a_token_is_judged_as_by_hand():
    problems = brackets.draw(jax.random.key(1), 4, brackets.PLAY)
    changes = list(itertools.product(range(4), range(8), range(brackets.VOCAB_SIZE)))
    rows, places, others = map(np.array, zip(*changes, strict=True))
    prompts, tokens = np.asarray(problems.prompts)[rows], np.asarray(problems.planted)[rows]
    tokens[np.arange(len(rows)), places] = others
    rewards = brackets.reward(
        jnp.asarray(prompts), jnp.asarray(tokens), jnp.ones(tokens.shape, jnp.float32)
    )
    np.testing.assert_array_equal(rewards, list(map(is_right, prompts, tokens)))
    assert 4 * 8 <= np.asarray(rewards).sum() < len(rows) / 4


def is_right(prompt, tokens):
    _, a, b, c, second, target = map(int, prompt)
    derived = [by_hand(a, b, c, mode, first, second - brackets.OPERATORS)
               for mode, first in itertools.product(range(6), range(3))]  # fmt: skip
    return any(row == tokens.tolist() and row[6] == target for row in derived)


def test_cut_off_and_overlong_completions_score_nothing():
    problems = brackets.draw(jax.random.key(2), 4, brackets.PLAY)
    mask = jnp.ones(problems.planted.shape, jnp.float32).at[:, -1].set(0)
    np.testing.assert_array_equal(brackets.reward(problems.prompts, problems.planted, mask), 0)


def test_draws_follow_their_odds():
    problems = brackets.draw(jax.random.key(3), 20000, brackets.WARMUP)
    modes = np.bincount(np.asarray(problems.planted[:, 0]) - brackets.MODES, minlength=6) / 20000
    # Five standard errors of the largest share.
    np.testing.assert_allclose(modes, brackets.WARMUP.modes, atol=5 * np.sqrt(0.25 / 20000))
    shown = np.asarray(problems.prompts[:, 0]) != brackets.BLANK
    assert abs(shown.mean() - brackets.WARMUP.cue) < 5 * np.sqrt(0.24 / 20000)


def test_a_task_gives_the_same_batches_again():
    one, two = PuzzleTask(brackets.PUZZLE, seed=5), PuzzleTask(brackets.PUZZLE, seed=5)
    np.testing.assert_array_equal(one.train_prompts(3, 4).tokens, two.train_prompts(3, 4).tokens)
    assert (one.train_prompts(3, 4).tokens != one.train_prompts(4, 4).tokens).any()
    judged = one.judge(one.held_out(2), np.zeros((6, 8), np.int32), np.ones((6, 8), np.float32))
    assert judged.rewards.tolist() == [0.0] * 6
    assert judged.reasons == ["wrong"] * 6


def test_a_name_is_one_problem_under_any_seed():
    one, two = PuzzleTask(brackets.PUZZLE, seed=5), PuzzleTask(brackets.PUZZLE, seed=6)
    few, many = one.held_out(8), one.held_out(64)
    assert few.ids == many.ids[:8]
    assert len(set(many.ids)) == 64
    assert many.ids[0] == "brackets-" + "-".join(map(str, many.tokens[0].tolist()))
    assert many.ids != two.held_out(64).ids
    with pytest.raises(ValueError, match=r"eval\.num_problems 5000 is more than the \d+ held out"):
        one.held_out(5000)


def test_modes_are_the_eighteen_derivations():
    task = PuzzleTask(brackets.PUZZLE, seed=5)
    prompts = task.held_out(4)
    known = task.right_answers(prompts)
    assert known.modes[0] == "(ab)c x-y"
    assert len(set(known.modes)) == 18
    judged = task.judge(prompts, known.tokens.reshape(-1, 8), known.mask.reshape(-1, 8))
    named = zip([*known.modes] * 4, known.right.ravel(), strict=True)
    assert judged.modes == [name if right else "" for name, right in named]
    assert judged.answers == [*known.modes] * 4
