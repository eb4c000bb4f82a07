"""Completions and figures of their tokens as one short text, which the page's script unpacks.

The text is base64 of a zlib stream of: a uint32 (little-endian), the length of a JSON header in
bytes; the header; and for each of its rows with tokens, in their order, the tokens and then each of
its figures, a byte a token. A token is its place among the header's `texts`, the most common first:
a byte below 192, or two, see `places`. A byte of a figure is its place among the header's `levels`
of that kind, 255 for no value. So a page of a thousand completions of two thousand tokens stays
below 8 MB.
"""

import base64
import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from sage_jax.evaluate.report.shown import Moves, Shown
from sage_jax.evaluate.samples import Tokens

NONE = 255
_BYTE = 192
"""Places below it are one byte. Above it the first byte has the high bits, and so on."""

KINDS = {
    "entropy": "plain", "surprisal": "plain", "change": "signed", "q": "q", "advantage": "share",
}  # fmt: skip
"""Figures that a token may have, and by which levels they are written."""


def _plain() -> np.ndarray:
    """To 0.05 where no colour is, from 0.3 on to 1%: 0, 0.1, 0.2, 0.3 · 1.02^n."""
    return np.concatenate([[0.0, 0.1, 0.2], 0.3 * 1.02 ** np.arange(252)])


def _q() -> np.ndarray:
    """To half a hundredth below 2, from there on to 3%: 0, 0.01, ... 1.99, 2 · 16^(n/54)."""
    return np.concatenate([np.arange(200) / 100, 2.0 * 16.0 ** (np.arange(55) / 54)])


def _signed() -> np.ndarray:
    """To 0.025 where no colour is, from 0.1 on to 2%: 0, ±0.05, ±0.1 · 1.04^n."""
    above = np.concatenate([[0.05], 0.1 * 1.04 ** np.arange(126)])
    return np.concatenate([-above[::-1], [0.0], above])


LEVELS = {
    "plain": _plain(),
    "signed": _signed(),
    "q": _q(),
    "share": np.arange(-127, 128) / 127,  # Of the largest in the completion.
}


def quantised(values: np.ndarray, kind: str) -> bytes:
    """The nearest level of each value, a byte each."""
    levels = LEVELS[kind]
    known = np.nan_to_num(values.astype(np.float64), posinf=1e4, neginf=-1e4)
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, known)
    if kind == "q":  # What is near to 1 and not 1 is shown to be so.
        apart = np.where(np.abs(known - 1) > 5e-4, np.sign(known - 1), 0).astype(int)
        nearest = np.where(nearest == 100, 100 + apart, nearest)
    return np.where(np.isnan(values), NONE, nearest).astype(np.uint8).tobytes()


def places(tokens: Sequence[str], known: Mapping[str, int]) -> bytes:
    """Places of texts in the list of all, as bytes."""
    return b"".join(_place(known[text]) for text in tokens)


def _place(place: int) -> bytes:
    """One byte below 192, two below 192 + 62 · 256, else 254 and three.

    >>> [*_place(7)], [*_place(192 + 3 * 256 + 5)], [*_place(192 + 62 * 256 + 1)]
    ([7], [195, 5], [254, 0, 0, 1])
    """
    if place < _BYTE:
        return bytes([place])
    high, low = divmod(place - _BYTE, 256)
    if high < 254 - _BYTE:
        return bytes([_BYTE + high, low])
    return bytes([254]) + (place - _BYTE - (254 - _BYTE) * 256).to_bytes(3, "big")


def packed(rows: Sequence[Shown], moves: Moves, views: Mapping[str, object]) -> str:
    """The text that the page's script reads.

    Args:
        rows: completions.
        moves: problems gained and lost.
        views: handed to the script as it is.
    """
    runs = list(dict.fromkeys(row.run for row in rows))
    problems: dict[str, dict] = {}
    for row in rows:
        problem = problems.setdefault(row.sample.id, {"id": row.sample.id})
        for name in ("prompt", "gold"):  # Evaluations keep no prompts.
            problem[name] = problem.get(name) or getattr(row.sample, name)
    for id, problem in problems.items():
        gone = {runs.index(run): ids[id] for run, ids in moves.items() if id in ids and run in runs}
        problem["moves"] = gone
    numbers, texts = {id: place for place, id in enumerate(problems)}, _texts(rows)
    known = {text: place for place, text in enumerate(texts)}
    listed = [_row(row, runs.index(row.run), numbers[row.sample.id], known) for row in rows]
    header = {
        "runs": runs, "problems": [*problems.values()], "rows": [head for head, _ in listed],
        "texts": texts, "kinds": KINDS, "views": views,
        "levels": {kind: levels.round(4).tolist() for kind, levels in LEVELS.items()},
    }  # fmt: skip
    text = json.dumps(header, separators=(",", ":")).encode()
    parts = [len(text).to_bytes(4, "little"), text, *(body for _, body in listed)]
    return base64.b64encode(zlib.compress(b"".join(parts), 9)).decode()


def _texts(rows: Sequence[Shown]) -> list[str]:
    """Texts of tokens, the most common first."""
    found = (row.sample.tokens for row in rows)
    counts = Counter(text for tokens in found if tokens is not None for text in tokens.texts)
    return [text for text, _ in counts.most_common()]


def _row(row: Shown, run: int, problem: int, known: Mapping[str, int]) -> tuple[dict, bytes]:
    """A completion in the header, and the bytes of its tokens."""
    sample = row.sample
    # JSON has no other number; the script takes null for NaN.
    reward = sample.reward if math.isfinite(sample.reward) else None
    head = {"run": run, "problem": problem, "where": row.where, "reward": reward}
    head |= {"finish": sample.finish, "reason": sample.reason}
    if sample.tokens is None:
        return head | {"text": sample.completion}, b""
    scales, figures = {}, []
    for name, array in _arrays(sample.tokens).items():
        scales[name] = _scale(array) if KINDS[name] == "share" else 1
        figures.append(quantised(array / scales[name], KINDS[name]))
    head |= {"tokens": len(sample.tokens.texts), "scales": scales}
    return head, b"".join([places(sample.tokens.texts, known), *figures])


def _scale(array: np.ndarray) -> float:
    """The largest magnitude, of which others are shares."""
    finite = array[np.isfinite(array)]
    return round(float(np.abs(finite).max(initial=0)), 4) or 1.0


def _arrays(tokens: Tokens) -> dict[str, np.ndarray]:
    given = tokens.figures
    arrays = {"entropy": given.get("entropies"), "q": given.get("q")}
    logps, ref_logps = given.get("logps"), given.get("ref_logps")
    if logps is not None:
        arrays["surprisal"] = -logps
        arrays["change"] = None if ref_logps is None else logps - ref_logps
    arrays["advantage"] = given.get("advantages")
    with np.errstate(invalid="ignore"):  # Infinity less infinity is unknown.
        return {name: array for name, array in arrays.items() if array is not None}
