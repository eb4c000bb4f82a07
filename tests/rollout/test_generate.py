"""The whole program on a tiny model: tokens, masks, reasons, log-probabilities, randomness."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from whole_rows import whole_rows

from sage_jax import models
from sage_jax import rollout as rollouts
from sage_jax.rollout import (
    Decoding,
    Finish,
    apply_filters,
    apply_temperature,
    compile_stop_strings,
    completion_ids,
    pack_prompts,
)

PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 12], [3], [4, 4]]
STOP_IDS = (1, 2)
LENGTH = 10
KNOBS: dict[str, Any] = {
    "group_size": 3,
    "max_completion_length": LENGTH,
    "temperature": 1.3,
    "stop_ids": STOP_IDS,
    "pad_id": 0,
}
FREE: dict[str, Any] = KNOBS | {"temperature": 1.6, "stop_ids": (), "group_size": 8}
BYTES = [b"", *(bytes([byte]) for byte in b"abcdefghij"), *[b"ab", b"bc", b"ca", b"dd"] * 3, b"x"]
STRINGS = ["abc", "dd", "gh", "fgi", "e"]


def generate(graphdef, params, tokens, mask, key, *, stop_table=None, mesh=None, **options):
    """`rollout.generate` with the options of a `Decoding` one by one."""
    decoding = Decoding(**options)
    return rollouts.generate(
        graphdef, params, tokens, mask, key, decoding, stop_table=stop_table, mesh=mesh
    )


def roll(tiny, packed, key, **options):
    return generate(tiny[0], tiny[1], packed.tokens, packed.mask, key, **options)


@pytest.fixture(scope="module")
def packed():
    return pack_prompts(PROMPTS, max_prompt_length=5, pad_id=0)


@pytest.fixture(scope="module")
def rollout(tiny, packed):
    return roll(tiny, packed, jax.random.key(1), **KNOBS)


@functools.partial(jax.jit, static_argnums=0)
def run(graphdef, params, tokens, positions, valid):
    """Logits and token_logps at temperature 0.8 by one pass over sequences, without a cache."""
    model = models.merge(graphdef, params)
    hidden, _ = model(tokens, positions, valid)
    following = jnp.roll(tokens, -1, axis=1)
    return model.unembed(hidden), models.token_logps(model, hidden, following, temperature=0.8)[0]


def full_logits(tiny, inputs):
    return np.asarray(run(tiny[0], tiny[1], *inputs)[0], np.float64)


def score(tiny, rollout, temperature):
    logits = full_logits(tiny, whole_rows(rollout)) / temperature
    logps = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    chosen = logps[:, rollout.prompt_tokens.shape[1] - 1 : -1]
    tokens = np.asarray(rollout.tokens)[..., None]
    return np.take_along_axis(chosen, tokens, -1)[..., 0] * np.asarray(rollout.mask)


def next_logits(tiny, rows):
    """Logits that follow each row of equally long token lists."""
    tokens = jnp.asarray(rows, jnp.int32)
    positions = jnp.tile(jnp.arange(tokens.shape[1])[None], (len(rows), 1))
    return full_logits(tiny, (tokens, positions, jnp.ones(tokens.shape, bool)))[:, -1]


def assert_well_formed(rollout, *, stop_ids=STOP_IDS, pad_id=0):
    tokens, mask = np.asarray(rollout.tokens), np.asarray(rollout.mask)
    lengths = mask.sum(1).astype(int)
    np.testing.assert_array_equal(mask, np.arange(mask.shape[1]) < lengths[:, None])
    assert (lengths >= 1).all()
    assert (tokens[mask == 0] == pad_id).all()
    assert (np.asarray(rollout.logps)[mask == 0] == 0).all()
    assert (np.asarray(rollout.logps)[mask == 1] < 0).all()
    last = tokens[np.arange(len(tokens)), lengths - 1]
    stopped = np.asarray(rollout.finish) == Finish.STOP_TOKEN
    np.testing.assert_array_equal(np.isin(last, stop_ids), stopped)
    assert (lengths[np.asarray(rollout.finish) == Finish.LENGTH] == mask.shape[1]).all()


def test_shapes_and_dtypes(rollout):
    assert rollout.tokens.shape == rollout.mask.shape == rollout.logps.shape == (12, LENGTH)
    assert rollout.finish.shape == (12,)
    assert rollout.group_size == 3
    dtypes = [rollout.tokens.dtype, rollout.mask.dtype, rollout.logps.dtype, rollout.finish.dtype]
    assert dtypes == [jnp.int32, jnp.float32, jnp.float32, jnp.int32]


def test_masks_end_with_the_token_that_ended_the_row(rollout):
    assert_well_formed(rollout)
    assert set(np.asarray(rollout.finish).tolist()) == {Finish.LENGTH, Finish.STOP_TOKEN}


def test_completion_ids_are_the_masked_tokens(rollout):
    rows = completion_ids(rollout)
    assert [len(row) for row in rows] == np.asarray(rollout.mask).sum(1).tolist()
    assert rows[3] == np.asarray(rollout.tokens)[3, : len(rows[3])].tolist()


def test_logps_equal_the_full_forward_pass(tiny, rollout):
    np.testing.assert_allclose(rollout.logps, score(tiny, rollout, 1.3), atol=1e-4)


def test_logps_are_unfiltered_and_equal_token_logps(tiny, packed):
    options = KNOBS | {"temperature": 0.8, "top_k": 8, "top_p": 0.9, "min_p": 0.05}
    rollout = roll(tiny, packed, jax.random.key(2), **options)
    assert_well_formed(rollout)
    np.testing.assert_allclose(rollout.logps, score(tiny, rollout, 0.8), atol=1e-4)
    scored = run(tiny[0], tiny[1], *whole_rows(rollout))[1][:, packed.tokens.shape[1] - 1 : -1]
    np.testing.assert_allclose(rollout.logps, scored * rollout.mask, atol=1e-4)


def test_greedy_equals_the_argmax_of_full_forward_passes(tiny, packed):
    options = KNOBS | {"temperature": 0.0, "top_k": 3}
    rollout = roll(tiny, packed, jax.random.key(0), **options)
    assert_well_formed(rollout)
    rows = completion_ids(rollout)
    predicted = full_logits(tiny, whole_rows(rollout))[:, packed.tokens.shape[1] - 1 :].argmax(-1)
    for index, row in enumerate(rows):
        assert row == rows[index // 3 * 3]
        assert row == predicted[index, : len(row)].tolist()
    np.testing.assert_allclose(rollout.logps, score(tiny, rollout, 1.0), atol=1e-4)


def test_one_token_completions(tiny, packed):
    rollout = roll(tiny, packed, jax.random.key(0), **KNOBS | {"max_completion_length": 1})
    assert rollout.tokens.shape == (12, 1)
    assert_well_formed(rollout)


@pytest.mark.parametrize(
    "filters", [{}, {"top_k": 9, "top_p": 0.85, "min_p": 0.02}], ids=["plain", "filtered"]
)
def test_sampled_frequencies_match_the_processed_distribution(tiny, filters):
    prompt, samples = [5, 6, 7], 20_000
    packed = pack_prompts([prompt], max_prompt_length=4, pad_id=0)
    options = {"group_size": samples, "max_completion_length": 2, "temperature": 0.9} | filters
    rollout = roll(tiny, packed, jax.random.key(3), stop_ids=(), pad_id=0, **options)
    assert (rollout.mask == 1).all()
    assert (rollout.finish == Finish.LENGTH).all()
    first, second = np.asarray(rollout.tokens).T
    assert frequencies_fit(first, next_logits(tiny, [prompt])[0], filters)
    common = int(np.bincount(first).argmax())
    logits = next_logits(tiny, [[*prompt, common]])[0]
    assert frequencies_fit(second[first == common], logits, filters)


def frequencies_fit(tokens, logits, filters):
    scaled = apply_temperature(jnp.asarray(logits, jnp.float32), 0.9)
    options: dict[str, Any] = {"top_k": 0, "top_p": 1.0, "min_p": 0.0} | filters
    probs = np.asarray(jax.nn.softmax(apply_filters(scaled, **options)), np.float64)
    counts = np.bincount(tokens, minlength=len(probs))
    assert counts[probs == 0].sum() == 0
    counts, probs = counts[probs > 0], probs[probs > 0]
    return stats.chisquare(counts, probs / probs.sum() * counts.sum()).pvalue > 1e-3


def test_the_same_key_gives_the_same_tokens(tiny, packed, rollout):
    again = roll(tiny, packed, jax.random.key(1), **KNOBS)
    other = roll(tiny, packed, jax.random.key(2), **KNOBS)
    np.testing.assert_array_equal(again.tokens, rollout.tokens)
    np.testing.assert_array_equal(again.logps, rollout.logps)
    assert (other.tokens != rollout.tokens).any()


def test_rows_of_a_group_differ(rollout):
    groups = np.asarray(rollout.tokens).reshape(4, 3, LENGTH)
    assert all(len(np.unique(group, axis=0)) > 1 for group in groups)


def test_a_row_does_not_depend_on_the_other_rows(tiny, packed):
    keys = jax.random.split(jax.random.key(4), 12).reshape(4, 3)
    whole = roll(tiny, packed, keys.reshape(-1), **KNOBS)
    order = np.array([2, 0])
    part = generate(
        tiny[0], tiny[1], packed.tokens[order], packed.mask[order], keys[order].reshape(-1), **KNOBS
    )
    np.testing.assert_array_equal(part.tokens, whole.tokens.reshape(4, 3, -1)[order].reshape(6, -1))
    np.testing.assert_allclose(
        part.logps, whole.logps.reshape(4, 3, -1)[order].reshape(6, -1), atol=1e-5
    )


def test_more_padding_on_the_left_changes_nothing(tiny, rollout):
    wider = pack_prompts(PROMPTS, max_prompt_length=9, pad_id=20)
    padded = roll(tiny, wider, jax.random.key(1), **KNOBS)
    np.testing.assert_array_equal(padded.tokens, rollout.tokens)
    # Sums over more slots go in another order; both are within 3e-5 of float64 with this model.
    np.testing.assert_allclose(padded.logps, rollout.logps, atol=4e-5)


@pytest.fixture(scope="module")
def free(tiny, packed):
    return roll(tiny, packed, jax.random.key(5), **FREE)


@pytest.mark.parametrize("stop_ids", [(), (1, 2)])
def test_stop_strings_cut_the_row_where_they_are_complete(tiny, packed, free, stop_ids):
    table = compile_stop_strings(BYTES, STRINGS)
    options = FREE | {"stop_table": table, "stop_ids": stop_ids}
    cut = roll(tiny, packed, jax.random.key(5), **options)
    expected = [expected_end(row, stop_ids) for row in np.asarray(free.tokens)]
    assert {reason for _, reason in expected} >= {Finish.LENGTH, Finish.STOP_STRING}
    assert np.asarray(cut.finish).tolist() == [reason for _, reason in expected]
    lengths = [count for count, _ in expected]
    assert np.asarray(cut.mask).sum(1).tolist() == lengths
    for count, row, uncut in zip(lengths, cut.tokens, free.tokens, strict=True):
        np.testing.assert_array_equal(row[:count], uncut[:count])


def expected_end(tokens, stop_ids):
    text = b""
    for count, token in enumerate(tokens, 1):
        text += BYTES[token]
        if token in stop_ids:
            return count, Finish.STOP_TOKEN
        if any(string.encode() in text for string in STRINGS):
            return count, Finish.STOP_STRING
    return len(tokens), Finish.LENGTH


def test_untrained_adapters_change_nothing(tiny, packed, rollout):
    graphdef, params = tiny
    lora_graphdef, adapters = models.lora.attach(
        graphdef, params, jax.random.key(0), rank=2, alpha=4, targets="all-linear"
    )
    adapted = generate(
        lora_graphdef, (params, adapters), packed.tokens, packed.mask, jax.random.key(1), **KNOBS
    )
    np.testing.assert_array_equal(adapted.tokens, rollout.tokens)


def test_a_half_precision_cache_still_writes_well_formed_rows(tiny, packed):
    options = KNOBS | {"cache_dtype": jnp.bfloat16}
    rollout = roll(tiny, packed, jax.random.key(1), **options)
    assert_well_formed(rollout)
    assert np.abs(rollout.logps - score(tiny, rollout, 1.3)).mean() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "temperature must be 0"),
        ({"top_p": 0.0}, "top_p must be in"),
        ({"group_size": 0}, "group_size must be at least 1, got 0"),
        ({"max_completion_length": 0}, "max_completion_length must be at least 1, got 0"),
        ({"max_completion_length": 60}, r"take 65 positions, but max_positions is 64"),
        ({"stop_ids": (1, 24)}, r"stop_ids must lie in \[0, 24\), got 24"),
        ({"pad_id": -1}, r"pad_id must lie in \[0, 24\), got -1"),
        (
            {"stop_table": compile_stop_strings([b"a"], ["a"])},
            r"stop_table must cover the model's 24 tokens, got 1",
        ),
    ],
)
def test_bad_knobs_are_refused(tiny, packed, options, message):
    with pytest.raises(ValueError, match=message):
        roll(tiny, packed, jax.random.key(0), **KNOBS | options)


def test_bad_arrays_are_refused(tiny, packed):
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"prompt_tokens must be \[N, P\] .* got \(0, 5\)"):
        generate(tiny[0], tiny[1], packed.tokens[:0], packed.mask[:0], key, **KNOBS)
    with pytest.raises(ValueError, match=r"prompt_mask must have the shape \(4, 5\), got \(4, 4\)"):
        generate(tiny[0], tiny[1], packed.tokens, packed.mask[:, 1:], key, **KNOBS)
    with pytest.raises(ValueError, match=r"prompt_tokens must be integers, got float64"):
        generate(tiny[0], tiny[1], packed.tokens * 1.0, packed.mask, key, **KNOBS)
    with pytest.raises(ValueError, match=r"prompt_mask must end in true .* row 0"):
        generate(tiny[0], tiny[1], packed.tokens, packed.mask[:, ::-1], key, **KNOBS)
    with pytest.raises(ValueError, match=r"one key or 12 keys, one per row, got shape \(5,\)"):
        roll(tiny, packed, jax.random.split(key, 5), **KNOBS)
    with pytest.raises(ValueError, match=r"made by jax.random.key, got an array of uint32"):
        roll(tiny, packed, jax.random.PRNGKey(0), **KNOBS)
