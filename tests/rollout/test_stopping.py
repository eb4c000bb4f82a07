"""Stop strings: the automaton against a search in the decoded bytes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.rollout import StopTable, compile_stop_strings


def first_stop(token_bytes, strings, tokens):
    """How many tokens until one of the strings is in their bytes, or None."""
    text = b""
    for count, token in enumerate(tokens, 1):
        text += token_bytes[token]
        if any(string.encode() in text for string in strings):
            return count
    return None


def run(table, tokens):
    state = table.start(1)
    for count, token in enumerate(tokens, 1):
        state = table.advance(state, jnp.array([token]))
        if table.is_complete(state)[0]:
            return count
    return None


VOCABULARY = [b"", b"a", b"b", b"c", b"ab", b"ba", b"abc", b"cab", b"aab", b"bcabc", b"cc"]


@pytest.mark.parametrize(
    "strings",
    [
        ["abc"],
        ["a"],
        ["aabaab"],
        ["abab", "ba"],
        ["abc", "abcabc", "bca"],
        ["cabcab", "bb", "aaaa"],
        ["ccb", "ab", "abcc"],
        ["abcabcabd"],
        ["b", "b"],
    ],
)
def test_equals_a_search_in_the_text(strings):
    table = compile_stop_strings(VOCABULARY, strings)
    sequences = np.random.default_rng(0).integers(0, len(VOCABULARY), (60, 12))
    states, found = table.start(60), np.zeros((60, 12), bool)
    for place in range(12):
        states = table.advance(states, jnp.asarray(sequences[:, place]))
        found[:, place] = table.is_complete(states)
    counts = [int(row.argmax()) + 1 if row.any() else None for row in found]
    assert counts == [first_stop(VOCABULARY, strings, row) for row in sequences]


def test_a_string_straddles_tokens_and_begins_inside_one():
    vocabulary = [b"x</th", b"ink", b">y", b"<", b"/think>"]
    table = compile_stop_strings(vocabulary, ["</think>"])
    assert run(table, [0, 1, 2]) == 3
    assert run(table, [3, 3, 4]) == 3
    assert run(table, [0, 0, 1, 1, 2]) is None


def test_a_token_may_hold_the_whole_string():
    assert run(compile_stop_strings([b"q", b"..STOP.."], ["STOP"]), [0, 0, 1]) == 3


def test_a_completed_state_is_never_left():
    table = compile_stop_strings(VOCABULARY, ["abc", "cc"])
    last = table.next_state[table.accepting]
    assert (last == table.accepting).all()


def test_tokens_without_bytes_change_nothing():
    table = compile_stop_strings(VOCABULARY, ["abcabc"])
    np.testing.assert_array_equal(table.next_state[:, 0], np.arange(table.next_state.shape[0]))


def test_strings_beyond_ascii_are_matched_by_their_bytes():
    letters = "é→🙂".encode()
    vocabulary = [bytes([byte]) for byte in range(256)]
    table = compile_stop_strings(vocabulary, ["é→🙂"])
    assert run(table, list(letters)) == len(letters)
    assert run(table, list("è→🙂".encode())) is None


def test_a_contained_string_stops_first():
    table = compile_stop_strings([b"a", b"b"], ["aabb", "ab"])
    assert run(table, [0, 0, 1, 1]) == 3


def test_overlapping_beginnings_share_their_states():
    assert compile_stop_strings([b"a"], ["stop", "stone"]).next_state.shape[0] == 6


def test_ids_beyond_the_tokenizer_write_nothing():
    table = compile_stop_strings([b"a"], ["aa"], vocab_size=4)
    np.testing.assert_array_equal(table.next_state[1], [2, 1, 1, 1])


def test_a_long_string_gets_wider_states():
    table = compile_stop_strings([b"a", b"b"], ["ab" * 17_000])
    assert table.next_state.dtype == jnp.int32
    expected = np.arange(1, 34_001)
    np.testing.assert_array_equal(
        table.next_state[np.arange(34_000), np.arange(34_000) % 2], expected
    )


def test_advance_is_pure_and_keeps_its_dtype_under_jit():
    table = compile_stop_strings(VOCABULARY, ["abc"])
    assert table.next_state.dtype == jnp.int16
    states, tokens = jnp.array([0, 1, 2], jnp.int32), jnp.array([6, 2, 3])
    eager = table.advance(states, tokens)
    jitted = jax.jit(StopTable.advance)(table, states, tokens)
    assert jitted.dtype == eager.dtype == jnp.int32
    np.testing.assert_array_equal(jitted, eager)


@pytest.mark.parametrize(
    ("strings", "vocab_size", "message"),
    [
        ([], None, "at least one string, got none"),
        ("stop", None, "must be a list of strings, got the string 'stop'"),
        (["a", ""], None, "stop string 1 is empty"),
        (["a"], 3, "vocab_size must be at least the 11 tokens given, got 3"),
    ],
)
def test_bad_strings_are_refused(strings, vocab_size, message):
    with pytest.raises(ValueError, match=message):
        compile_stop_strings(VOCABULARY, strings, vocab_size=vocab_size)
