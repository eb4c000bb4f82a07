"""Packing of prompts: padding, dropping, refusing."""

import numpy as np
import pytest

from sage_jax.rollout import pack_prompts


def test_pads_left_and_keeps_the_order():
    packed = pack_prompts([[3], [4, 5, 6], [7, 8]], max_prompt_length=4, pad_id=9)
    np.testing.assert_array_equal(packed.tokens, [[9, 9, 9, 3], [9, 4, 5, 6], [9, 9, 7, 8]])
    np.testing.assert_array_equal(packed.mask, [[0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 1, 1]])
    assert packed.tokens.dtype == np.int32
    assert packed.mask.dtype == np.bool_
    assert (packed.kept, packed.dropped) == ([0, 1, 2], 0)


def test_a_pad_id_inside_a_prompt_is_a_token():
    packed = pack_prompts([[0, 0]], max_prompt_length=3, pad_id=0)
    np.testing.assert_array_equal(packed.mask, [[False, True, True]])


def test_too_long_prompts_are_dropped_whole_and_counted():
    tokens, mask, kept, dropped = pack_prompts(
        [[1] * 4, [2] * 3, [3] * 9, [4]], max_prompt_length=3, pad_id=0
    )
    np.testing.assert_array_equal(tokens, [[2, 2, 2], [0, 0, 4]])
    assert mask.sum() == 4
    assert (kept, dropped) == ([1, 3], 2)


def test_all_dropped_is_an_empty_batch():
    packed = pack_prompts([[1, 2], [3, 4]], max_prompt_length=1, pad_id=0)
    assert packed.tokens.shape == (0, 1)
    assert packed.dropped == 2


def test_arrays_serve_as_prompts():
    packed = pack_prompts([np.array([5, 6], np.int64)], max_prompt_length=2, pad_id=0)
    np.testing.assert_array_equal(packed.tokens, [[5, 6]])


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ([[1], []], {}, "prompt 1 is empty"),
        ([[1, -2]], {}, r"prompt 0 must hold ids in \[0, 2\^31\), got -2 to 1"),
        ([[1], [2**31]], {}, r"prompt 1 must hold ids in"),
        ([[1.5]], {}, r"prompt 0 must be a flat list of integer .* float64"),
        ([[True]], {}, r"prompt 0 must be a flat list of integer .* bool"),
        ([[[1]]], {}, r"prompt 0 must be a flat list .* \(1, 1\)"),
        ([[1]], {"max_prompt_length": 0}, "max_prompt_length must be at least 1, got 0"),
        ([[1]], {"pad_id": -1}, "pad_id must be a token id, 0 or above, got -1"),
    ],
)
def test_bad_prompts_are_refused(prompts, options, message):
    with pytest.raises(ValueError, match=message):
        pack_prompts(prompts, **{"max_prompt_length": 4, "pad_id": 0} | options)
