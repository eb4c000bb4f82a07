"""What ends a completion: tokens, and strings that may be tokens."""

import functools
from typing import Any

from sage_jax import rollout


def stops(
    stop_ids: tuple[int, ...], strings: tuple[str, ...], tokenizer: Any, *, vocab_size: int
) -> tuple[tuple[int, ...], rollout.StopTable | None]:
    """Tokens that end a completion, and the table of the strings that do.

    A string that is a special token is that token, which writes no text to be found in.

    Args:
        stop_ids: of the task.
        strings: that end a completion.
        tokenizer: of the model; not looked at without strings.
        vocab_size: V of the model.

    Raises:
        ValueError: a string is a token that the model does not have.
    """
    if not strings:
        return stop_ids, None
    ids = list(stop_ids)
    others = []
    for text in strings:
        index = rollout.special_id(tokenizer, text)
        if index is None:
            others.append(text)
        elif index < vocab_size:
            ids.append(index)
        else:
            raise ValueError(
                f"stop {text!r} is token {index}, which the model cannot write: it has "
                f"{vocab_size} tokens"
            )
    unique = tuple(dict.fromkeys(ids))
    if not others:
        return unique, None
    return unique, _table(tokenizer, tuple(others), vocab_size)


@functools.lru_cache(maxsize=4)
def _table(tokenizer: Any, strings: tuple[str, ...], vocab_size: int) -> rollout.StopTable:
    # Kept, since a loop asks at every step for what takes as long as reading the vocabulary.
    spelled = rollout.token_bytes(tokenizer, spelled=list(strings))
    # A tokenizer may know tokens beyond the model's vocabulary, which are never sampled.
    return rollout.compile_stop_strings(spelled[:vocab_size], list(strings), vocab_size=vocab_size)
