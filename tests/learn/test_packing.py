"""Where completions lie when they share rows."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_jax.learn import packing
from sage_jax.learn.bins import pack, put, take, unpack
from sage_jax.learn.packing import fit
from sage_jax.learn.sequences import Sequences, join_groups, split_groups

LENGTH = 16
HALF = np.full(32, LENGTH // 2)


def test_doctests():
    result = doctest.testmod(packing)
    assert result.attempted >= 1
    assert result.failed == 0


def planned(lengths, *, group_size=8, prompt_length=1, micro_batch=64, updates=1, shards=1):
    return fit(
        np.asarray(lengths), group_size=group_size, prompt_length=prompt_length, length=LENGTH,
        micro_batch=micro_batch, updates=updates, shards=shards,
    )  # fmt: skip


def units(packing, lengths, update=0):
    """(prompt, [(completion, slots)]) of every unit of an update's passes, in their order."""
    none = len(lengths)
    for index in range(packing.passes[update]):
        for unit, members in enumerate(packing.members[update, index]):
            starts = packing.starts[update, index, unit]
            held = [(row, start + np.arange(lengths[row]))
                    for row, start in zip(members, starts, strict=True) if row != none]  # fmt: skip
            yield packing.prompts[update, index, unit], held


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
    for update in range(updates):
        lengths = np.ravel(groups[update::updates])
        seen = []
        for prompt, held in units(found, lengths, update):
            slots = np.concatenate([s for _, s in held]) if held else np.zeros(0, int)
            assert len(set(slots)) == len(slots)
            assert max(slots, default=0) < found.rows * LENGTH
            assert all(len(set(s // LENGTH)) == 1 for _, s in held)
            assert all(row // group_size == prompt for row, _ in held)
            seen += [row for row, _ in held]
        assert sorted(seen) == list(range(len(lengths)))
    # No more tokens in a pass than without, and for whole groups fewer in all.
    rows = min(micro_batch, len(groups) * group_size // updates) // shards
    together, cut = divmod(found.prompts.shape[-1], shards)
    assert not cut
    size = together * (prompt_length + found.rows * LENGTH)
    room = rows * LENGTH + max(rows // group_size, 1) * prompt_length
    assert size <= room
    if rows >= group_size:
        passes = -(-len(groups) * group_size // updates // (rows * shards))
        assert sum(found.passes) * size < 0.9 * updates * passes * room


def test_as_few_rows_as_the_fullest_group_needs():
    def rows(lengths):
        # With a prompt this long a second unit costs more than rows that stay empty.
        found = planned(lengths, prompt_length=LENGTH)
        return found and found.rows

    half = np.full(8, LENGTH // 2)
    assert rows(half) == 4
    assert rows(half // 2) == 2
    assert rows([*half, *half // 2]) == 4
    # Five rows are none of the numbers that are compiled for.
    assert rows([*half, LENGTH, LENGTH, *half[:6]]) == 6


@pytest.mark.parametrize(
    ("changes", "rows", "together", "passes"),
    [
        ({}, 4, 4, 1),
        ({"micro_batch": 11}, 4, 2, 2),
        ({"micro_batch": 8}, 4, 1, 4),
        # A pass has no room for a whole group: no more than it has room for, and none left empty.
        ({"micro_batch": 4}, 4, 1, 4),
        ({"micro_batch": 1}, 1, 1, 16),
        ({"micro_batch": 4, "shards": 4}, 1, 4, 4),
        ({"micro_batch": 8, "shards": 4}, 2, 4, 2),
        ({"micro_batch": 16, "updates": 2}, 4, 2, 2),
        ({"micro_batch": 8, "updates": 4}, 4, 1, 4),
        ({"micro_batch": 16, "shards": 2}, 4, 2, 2),
        # Two units of four rows would leave room that three of them have no use for.
        ({"micro_batch": 16, "prompt_length": 64}, 6, 2, 2),
    ],
    ids=str,
)
def test_a_pass_takes_the_units_that_it_has_room_for(changes, rows, together, passes):
    found = planned(HALF, **changes)
    assert found is not None
    assert (found.rows, found.prompts.shape[-1]) == (rows, together)
    assert sum(found.passes) == passes
    assert found.rows_taken == rows * together * passes


def test_a_full_group_takes_several_units_and_the_others_one():
    found = planned([*np.full(8, LENGTH), *HALF[:24]], prompt_length=2, micro_batch=8)
    assert found is not None
    counts = np.bincount([prompt for prompt, held in units(found, [*np.full(8, LENGTH), *HALF[:24]])
                          if held])  # fmt: skip
    assert counts[0] == 2 * counts[1] == 2 * counts[3]


def test_shapes_do_not_follow_the_lengths_where_a_device_has_one_row():
    draw = np.random.default_rng(0)
    drawn = [draw.integers(1, most + 1, 32) for most in (1, 5, 10, LENGTH)] + [np.full(32, LENGTH)]
    found = [planned(lengths, micro_batch=4, shards=4) for lengths in drawn]
    assert len({str(jax.tree.map(np.shape, one)) for one in found}) == 1
    assert len({sum(one.passes) for one in found if one}) == len(drawn)


@pytest.mark.parametrize(
    "changes", [{"updates": 3}, {"micro_batch": 6, "shards": 4}, {"group_size": 1}], ids=str
)
def test_what_cannot_be_dealt_out_is_not_packed(changes):
    assert planned(HALF, **changes) is None


@pytest.mark.parametrize(("group_size", "rows"), [(2, 1), (3, 2), (5, 3), (6, 3), (16, 8)])
def test_groups_of_any_size(group_size, rows):
    found = planned(np.full(4 * group_size, LENGTH // 2), group_size=group_size)
    assert found is not None
    assert found.rows == rows


def test_full_rows_of_whole_groups_are_left_as_they_are():
    assert planned(np.full(32, LENGTH)) is None


@pytest.mark.parametrize("micro_batch", [1, 3, 8, 32])
@pytest.mark.parametrize("updates", [1, 2])
def test_unpacking_undoes_packing(micro_batch, updates):
    draw = np.random.default_rng(3)
    lengths = draw.integers(1, LENGTH // 2, 32)
    mask = (np.arange(LENGTH) < lengths[:, None]).astype(np.float32)
    tokens = jnp.asarray(draw.integers(0, 99, mask.shape).astype(np.int32))
    prompts = jnp.arange(12, dtype=jnp.int32).reshape(4, 3)
    sequences = Sequences(prompts, prompts >= 0, tokens, jnp.asarray(mask))
    packing = planned(lengths, micro_batch=micro_batch, updates=updates)
    assert packing is not None

    def update(part):
        sequences, packing = part
        counted = jnp.zeros(len(sequences.tokens), jnp.float32)
        blank = (jnp.full_like(sequences.tokens, -1), counted)
        for index in range(packing.members.shape[0]):
            own, lengths, layout = take(packing, index, sequences, sequences.mask.sum(axis=1))
            rows = pack(own, layout)
            assert rows.segments is not None
            # Each unit's rows hold what its completions have, once.
            assert rows.segments.shape == (len(own.prompt_tokens) * packing.rows, LENGTH)
            each = jnp.split(rows.segments, len(own.prompt_tokens))
            kept = [np.bincount(np.ravel(x), minlength=9)[1:] for x in each]
            np.testing.assert_array_equal(np.ravel(kept), lengths)
            np.testing.assert_array_equal(rows.mask > 0, rows.segments > 0)
            blank = put(packing, index, blank, (unpack(rows.tokens, layout), lengths))
        return blank

    parts, _ = split_groups(sequences, (), updates)
    done = [update(jax.tree.map(lambda x, i=i: x[i], (parts, packing))) for i in range(updates)]
    back, counted = join_groups(jax.tree.map(lambda *x: jnp.stack(x), *done), 4)
    np.testing.assert_array_equal(counted, lengths)
    np.testing.assert_array_equal(np.where(mask > 0, back, 0), np.where(mask > 0, tokens, 0))
