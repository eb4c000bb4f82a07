"""What a group's rewards say, told to each of its rows: against plain loops."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import Terms
from sage_jax.losses.outcome import with_outcome

MASK = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 1, 1]], np.float32)
REWARDS = np.array([1.0, 1.0, 0.25, 1.0, 0.5, 0.5], np.float32)
REF = -np.arange(1.0, 19.0, dtype=np.float32).reshape(6, 3)
TERMS = Terms(jnp.zeros((6, 3)), jnp.asarray(MASK), ref_logps=jnp.asarray(REF))


def oracle(rewards, right, group_size):
    """(pass rate, reward range, log π_ref of the likeliest best completion) of every row."""
    rows = []
    for start in range(0, len(rewards), group_size):
        own = range(start, start + group_size)
        held = [row for row in own if MASK[row].any()]
        best = max((rewards[row] for row in held), default=None)
        likeliest = [(REF[row] * MASK[row]).sum() for row in held if rewards[row] == best]
        share = sum(right[row] for row in own) / group_size
        spread = max(rewards[row] for row in own) - min(rewards[row] for row in own)
        rows += [(share, spread, max(likeliest, default=0.0))] * group_size
    return np.array(rows)


@pytest.mark.parametrize("group_size", [1, 2, 3, 6])
def test_what_a_group_came_to_equals_plain_loops(group_size):
    """A row without tokens, as a truncated one that is masked out, is never the likeliest."""
    found = with_outcome(TERMS, jnp.asarray(REWARDS), group_size=group_size)
    expected = oracle(REWARDS, REWARDS > 0.5, group_size)
    seen = np.array([found.pass_rate, found.reward_range, found.best_ref_logps]).T
    np.testing.assert_allclose(seen, expected, rtol=1e-6)
    np.testing.assert_array_equal(found.rewards, REWARDS)
    np.testing.assert_array_equal(found.right, REWARDS > 0.5)


def test_what_is_said_to_be_right_is_right_whatever_the_reward():
    right = jnp.array([False, True, True, False, True, True])
    terms = dataclasses.replace(TERMS, right=right, modes=jnp.arange(6))
    found = with_outcome(terms, jnp.asarray(REWARDS), group_size=3)
    np.testing.assert_allclose(np.asarray(found.pass_rate), 2 / 3, rtol=1e-6)
    np.testing.assert_array_equal(found.right, right)
    np.testing.assert_array_equal(found.modes, [-1, 1, 2, -1, 4, 5])
    assert np.asarray(found.modes).dtype == np.int32
    bare = with_outcome(dataclasses.replace(TERMS, ref_logps=None), jnp.ones(6), group_size=2)
    assert bare.best_ref_logps is None
    assert bare.modes is None


def test_nothing_under_the_mask_is_read_and_jit_is_eager():
    spoiled = dataclasses.replace(TERMS, ref_logps=jnp.where(MASK > 0, REF, np.nan))
    plain = with_outcome(TERMS, jnp.asarray(REWARDS), group_size=3)
    for terms, run in (
        (spoiled, with_outcome),
        (TERMS, jax.jit(with_outcome, static_argnames="group_size")),
    ):
        found = run(terms, jnp.asarray(REWARDS), group_size=3)
        for name in ("pass_rate", "reward_range", "best_ref_logps", "right"):
            np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))


def test_it_is_constant_under_the_gradient():
    def total(rewards):
        found = with_outcome(TERMS, rewards, group_size=2)
        parts = (found.rewards, found.reward_range, found.pass_rate, found.right)
        return jnp.sum(jnp.stack(parts))  # pyright: ignore

    assert not np.any(jax.grad(total)(jnp.asarray(REWARDS)))
