"""Where completions lie when they share rows."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_jax.train import packing
from sage_jax.train.packing import fit, pack, unpack
from sage_jax.train.sequences import Sequences, join_groups, split_groups

LENGTH = 16


def test_doctests():
    result = doctest.testmod(packing)
    assert result.attempted >= 1
    assert result.failed == 0


def planned(lengths, *, group_size=8, prompt_length=1, micro_batch=64, updates=1, shards=1):
    return fit(
        np.asarray(lengths), group_size=group_size, prompt_length=prompt_length, length=LENGTH,
        micro_batch=micro_batch, updates=updates, shards=shards,
    )  # fmt: skip


CASES = st.integers(2, 12).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.lists(st.integers(1, LENGTH), min_size=size, max_size=size), min_size=1,
                 max_size=6),
    )
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(CASES, st.integers(1, 40), st.integers(1, 3), st.sampled_from([1, 2, 4]), st.integers(1, 40))
def test_what_a_packing_promises(case, micro_batch, updates, shards, prompt_length):
    group_size, groups = case
    found = planned(np.ravel(groups), group_size=group_size, prompt_length=prompt_length,
                    micro_batch=micro_batch, updates=updates, shards=shards)  # fmt: skip
    if found is None:
        return
    for group, starts in zip(groups, found.starts.reshape(-1, group_size), strict=True):
        slots = np.concatenate([s + np.arange(n) for s, n in zip(starts, group, strict=True)])
        assert len(set(slots)) == len(slots)
        assert slots.max() < found.rows * LENGTH
        np.testing.assert_array_equal(starts // LENGTH, (starts + group - 1) // LENGTH)
    together, cut = divmod(found.micro_batch, group_size)
    assert not cut
    assert len(groups) % (updates * together) == 0
    assert together % shards == 0
    # No more passes and no more tokens in one than without.
    assert found.micro_batch >= min(micro_batch, len(groups) * group_size // updates)
    prompts = max(micro_batch // group_size, 1)
    assert together * (prompt_length + found.rows * LENGTH) <= (
        prompts * prompt_length + micro_batch * LENGTH
    )


def test_as_few_rows_as_the_fullest_group_needs():
    def rows(lengths):
        found = planned(lengths)
        return found and found.rows

    half = np.full(8, LENGTH // 2)
    assert rows(half) == 4
    assert rows(half // 2) == 2
    assert rows([*half, *half // 2]) == 4
    # Five rows are none of the numbers that are compiled for.
    assert rows([*half, LENGTH, LENGTH, *half[:6]]) == 6


@pytest.mark.parametrize(
    ("changes", "groups"),
    [
        ({}, 4),
        ({"micro_batch": 11}, 2),
        ({"micro_batch": 8}, 1),
        ({"micro_batch": 4}, 1),
        ({"micro_batch": 16, "updates": 2}, 2),
        ({"micro_batch": 8, "updates": 4}, 1),
        ({"micro_batch": 11, "shards": 2}, 2),
        ({"micro_batch": 16, "prompt_length": 64}, 2),
        ({"micro_batch": 16, "prompt_length": 128}, 2),
    ],
    ids=str,
)
def test_a_pass_takes_the_groups_that_it_has_room_for(changes, groups):
    found = planned(np.full(32, LENGTH // 2), **changes)
    assert found is not None
    assert found.micro_batch == groups * 8


@pytest.mark.parametrize(
    "changes",
    [{"micro_batch": 3}, {"updates": 8}, {"updates": 3}, {"micro_batch": 4, "shards": 2},
     {"shards": 8}],
    ids=str,
)  # fmt: skip
def test_groups_stay_whole_or_are_not_packed(changes):
    assert planned(np.full(32, LENGTH // 2), **changes) is None


@pytest.mark.parametrize(("group_size", "rows"), [(2, 1), (3, 2), (5, 3), (6, 3), (16, 8)])
def test_groups_of_any_size(group_size, rows):
    found = planned(np.full(4 * group_size, LENGTH // 2), group_size=group_size)
    assert found is not None
    assert found.rows == rows


def test_full_rows_are_left_as_they_are():
    assert planned(np.full(32, LENGTH)) is None
    assert planned([LENGTH, *[1] * 7], group_size=1) is None


def test_unpacking_undoes_packing():
    draw = np.random.default_rng(3)
    lengths = draw.integers(1, LENGTH // 2, 32)
    mask = (np.arange(LENGTH) < lengths[:, None]).astype(np.float32)
    tokens = jnp.asarray(draw.integers(0, 99, mask.shape).astype(np.int32))
    prompts = jnp.zeros((4, 3), jnp.int32)
    sequences = Sequences(prompts, prompts == 0, tokens, jnp.asarray(mask))
    whole = planned(lengths)
    assert whole is not None
    rows = pack(sequences, whole)
    assert rows.segments is not None
    assert rows.tokens.shape == (4 * whole.rows, LENGTH)
    kept = [np.bincount(np.ravel(x), minlength=9)[1:] for x in jnp.split(rows.segments, 4)]
    np.testing.assert_array_equal(np.ravel(kept), lengths)
    np.testing.assert_array_equal(rows.mask > 0, rows.segments > 0)
    for back in (unpack(rows.tokens, whole), in_parts(sequences, whole)):
        np.testing.assert_array_equal(np.where(mask > 0, back, 0), np.where(mask > 0, tokens, 0))


def in_parts(sequences, whole):
    """The same, two groups at a time."""
    parts = split_groups(sequences, whole, 2)
    back = jax.lax.map(lambda part: unpack(pack(*part).tokens, part[1]), parts)
    return join_groups(back, 4)
