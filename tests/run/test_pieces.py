"""A text cut at its tokens is the text again, whatever the tokenizer."""

import numpy as np
import pytest

from sage_jax.run.pieces import pieces


def by_bytes(ids):
    return bytes(ids.tolist()).decode(errors="replace")


def by_words(ids):
    """As SentencePiece: words bring their space, and a text begins without one."""
    return " ".join(f"w{one}" for one in ids if one)


def lossy(ids):
    """What comes later changes what was there."""
    return "-" * len(ids) + "|" * (len(ids) // 2)


@pytest.mark.parametrize(
    ("spell", "ids", "expected"),
    [
        (by_bytes, [0xE2, 0x82, 0xAC, 33], ["", "", "€", "!"]),
        (by_bytes, [65, 0xE2, 0x82], ["A", "", "\ufffd"]),
        (by_bytes, [0xFF, 66], ["", "\ufffdB"]),
        (by_words, [3, 4, 0, 5, 0], ["w3", " w4", "", " w5", ""]),
        (lossy, [1, 2, 3], ["---|", "", ""]),
        (by_bytes, [], []),
    ],
)
def test_pieces(spell, ids, expected):
    found = pieces(spell, np.array(ids, np.int32))
    assert found == expected
    assert "".join(found) == spell(np.array(ids, np.int32))
