"""Stop strings as an automaton over the bytes of tokens, so that they are found inside jit.

A string may begin in the middle of one token and end in the middle of another. The automaton
(Aho and Corasick 1975, "Efficient string matching") reads bytes; composed with the bytes of every
token it becomes a table that reads tokens, one look-up per row and step.
"""

import dataclasses
from collections import deque
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StopTable:
    """Transitions of the stop-string automaton, token by token.

    Attributes:
        next_state: [states, V] integers; `next_state[s, v]` follows state s when token v is read.
            State 0 is the start. The last state means that a stop string is complete; it leads only
            to itself.
    """

    next_state: jax.Array

    @property
    def accepting(self) -> int:
        """The state in which a stop string has been seen."""
        return self.next_state.shape[0] - 1

    def start(self, rows: int) -> jax.Array:
        """The start state for each row: [rows] int32."""
        return jnp.zeros(rows, jnp.int32)

    def advance(self, states: jax.Array, tokens: jax.Array) -> jax.Array:
        """States [B] after one more token in each row, tokens [B]: [B] int32."""
        return self.next_state[states, tokens].astype(jnp.int32)

    def is_complete(self, states: jax.Array) -> jax.Array:
        """Which rows have seen a stop string: [B] bool."""
        return states == self.accepting


def compile_stop_strings(
    token_bytes: Sequence[bytes], strings: Sequence[str], *, vocab_size: int | None = None
) -> StopTable:
    """Build the table that finds any of `strings` in the concatenated bytes of a row's tokens.

    Args:
        token_bytes: what each token id writes, as `vocabulary.token_bytes` gives it. A token of no
            bytes leaves the state as it is.
        strings: the stop strings, compared as UTF-8.
        vocab_size: V of the model where its output is wider than the tokenizer; the ids beyond
            write nothing.

    Returns:
        A table of at most 1 + the strings' total length in bytes states.

    Raises:
        ValueError: `strings` is empty or a bare string, one of them is empty, or `vocab_size` is
            smaller than the number of tokens.

    >>> table = compile_stop_strings([b"a", b"xST", b"OPy"], ["STOP"])
    >>> state = table.start(1)
    >>> for token in (0, 1, 2):
    ...     state = table.advance(state, jnp.array([token]))
    >>> table.is_complete(state).tolist()
    [True]
    """
    patterns = _patterns(strings)
    missing = (len(token_bytes) if vocab_size is None else vocab_size) - len(token_bytes)
    if missing < 0:
        raise ValueError(
            f"vocab_size must be at least the {len(token_bytes)} tokens given, got {vocab_size}"
        )
    transitions = _byte_transitions(patterns)
    table = _token_transitions(transitions, [*token_bytes, *[b""] * missing])
    return StopTable(jnp.asarray(table))


def _patterns(strings: Sequence[str]) -> list[bytes]:
    if isinstance(strings, str):
        raise ValueError(f"stop strings must be a list of strings, got the string {strings!r}")
    if not strings:
        raise ValueError("stop strings must hold at least one string, got none")
    for index, string in enumerate(strings):
        if not string:
            raise ValueError(f"stop string {index} is empty; it must hold at least one character")
    return [string.encode() for string in strings]


def _byte_transitions(patterns: Sequence[bytes]) -> np.ndarray:
    """[states, 256] int32; every state in which some pattern is complete is the last, absorbing."""
    children, ends = _trie(patterns)
    table = np.zeros((len(children), 256), np.int32)
    fallback = [0] * len(children)
    reached, queue = [], deque([0])
    while queue:
        node = queue.popleft()
        ends[node] |= ends[fallback[node]]
        if ends[node]:
            continue
        reached.append(node)
        # The row of the longest proper suffix answers for all bytes that do not extend the node.
        table[node] = table[fallback[node]]
        for byte, child in children[node].items():
            fallback[child] = int(table[node, byte]) if node else 0
            table[node, byte] = child
            queue.append(child)
    return _renumber(table, reached)


def _trie(patterns: Sequence[bytes]) -> tuple[list[dict[int, int]], list[bool]]:
    children: list[dict[int, int]] = [{}]
    ends = [False]
    for pattern in patterns:
        node = 0
        for byte in pattern:
            if byte not in children[node]:
                children[node][byte] = len(children)
                children.append({})
                ends.append(False)
            node = children[node][byte]
        ends[node] = True
    return children, ends


def _renumber(table: np.ndarray, reached: Sequence[int]) -> np.ndarray:
    """Number the states from 0 in the order reached, and call all others the last state."""
    number = np.full(len(table), len(reached), np.int32)
    number[reached] = np.arange(len(reached))
    accepting = np.full((1, 256), len(reached), np.int32)
    return np.concatenate([number[table[reached]], accepting])


def _token_transitions(transitions: np.ndarray, token_bytes: Sequence[bytes]) -> np.ndarray:
    """Compose byte transitions along every token, for all start states at once: [states, V]."""
    lengths = np.array([len(token) for token in token_bytes], np.int64)
    # Longest first: the tokens that still have a byte at a given place are then a prefix.
    order = np.argsort(-lengths, kind="stable")
    starts = (np.cumsum(lengths) - lengths)[order]
    data = np.frombuffer(b"".join(token_bytes), np.uint8)
    states = len(transitions)
    table = np.repeat(np.arange(states, dtype=np.int32)[:, None], len(token_bytes), axis=1)
    for place in range(int(lengths.max(initial=0))):
        alive = int(np.count_nonzero(lengths > place))
        table[:, :alive] = transitions[table[:, :alive], data[starts[:alive] + place]]
    result = np.empty(table.shape, np.int16 if states <= np.iinfo(np.int16).max else np.int32)
    result[:, order] = table
    return result
