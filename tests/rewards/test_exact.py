import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.rewards import exact_match


def oracle(tokens, mask, targets, target_mask):
    rewards = []
    for row, valid, target, target_valid in zip(tokens, mask, targets, target_mask, strict=True):
        said = [int(t) for t, v in zip(row, valid, strict=True) if v]
        wanted = [int(t) for t, v in zip(target, target_valid, strict=True) if v]
        rewards.append(float(said == wanted))
    return np.array(rewards, np.float32)


def rows(generator, lengths, width, vocab=2):
    tokens = generator.integers(0, vocab, (len(lengths), width)).astype(np.int32)
    mask = np.arange(width)[None] < np.array(lengths)[:, None]
    return tokens, mask


@pytest.mark.parametrize(("width", "target_width"), [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("mask_dtype", [np.float32, bool, np.int32])
def test_oracle(width, target_width, mask_dtype):
    generator = np.random.default_rng(0)
    count = 256
    tokens, mask = rows(generator, generator.integers(0, 4, count), width)
    targets, target_mask = rows(generator, generator.integers(0, 4, count), target_width)
    args = (tokens, mask.astype(mask_dtype), targets, target_mask.astype(mask_dtype))
    expected = oracle(tokens, mask, targets, target_mask)
    assert 0 < expected.sum() < count
    got = exact_match(*map(jnp.asarray, args))
    assert got.dtype == jnp.float32
    np.testing.assert_array_equal(got, expected)
    with jax.disable_jit():
        np.testing.assert_array_equal(exact_match(*map(jnp.asarray, args)), expected)


def test_tokens_under_the_mask_never_matter():
    tokens, mask = jnp.array([[1, 2, 7]], jnp.int32), jnp.array([[1.0, 1.0, 0.0]])
    targets = jnp.array([[1, 2]], jnp.int32)
    for junk in range(9):
        changed = tokens.at[0, 2].set(junk)
        assert exact_match(changed, mask, targets, jnp.ones((1, 2))) == 1.0


def test_going_on_or_stopping_early_is_wrong():
    targets, target_mask = jnp.array([[1, 2]]), jnp.ones((1, 2))
    assert exact_match(jnp.array([[1, 2, 0]]), jnp.ones((1, 3)), targets, target_mask) == 0.0
    assert exact_match(jnp.array([[1]]), jnp.ones((1, 1)), targets, target_mask) == 0.0


def test_inside_a_jitted_step():
    step = jax.jit(lambda tokens: exact_match(tokens, tokens != 0, tokens, tokens != 0).sum())
    assert step(jnp.array([[1, 2], [3, 0]])) == 2.0


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (2, 2), (2, 3), (2, 3)), r"tokens \(2, 3\) and mask \(2, 2\)"),
        (((2, 3), (2, 3), (2, 3), (3, 2)), r"targets \(2, 3\) and target_mask \(3, 2\)"),
        (((3,), (3,), (3,), (3,)), r"\[rows, length\]"),
        (((2, 3), (2, 3), (4, 3), (4, 3)), "2 rows and targets 4"),
    ],
)
def test_shapes_are_refused(shapes, message):
    arrays = [jnp.zeros(shape, jnp.int32) for shape in shapes]
    with pytest.raises(ValueError, match=message):
        exact_match(*arrays)
