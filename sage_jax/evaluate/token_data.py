"""Completions and figures of their tokens as one short text, which the page's script unpacks.

The text is base64 of a zlib stream of: a uint32 (little-endian), the length of a JSON header in
bytes; the header; and for each of its rows with tokens, in their order, the length of every token's
text in UTF-16 units (bytes that are summed up to the first below 255), then each figure, a byte a
token. A byte b of a figure stands for

    scale · (b / 254)²                          if it is `plain`, of values of 0 and more,
    ± scale · ((b − 127) / 127)²                if it is `signed`,
    b / 100                                     if it is `q`,

where scale is the row's largest magnitude, and 255 for no value. So a page of a thousand
completions of two thousand tokens stays below 8 MB.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from sage_jax.evaluate.samples import Sample, Tokens
from sage_jax.evaluate.shown import Moves, Shown

NONE = 255


KINDS = {
    "entropy": "plain", "surprisal": "plain", "change": "signed", "q": "q", "advantage": "signed",
}  # fmt: skip
"""Figures that a token may have, and how they are written."""


def quantised(values: np.ndarray, kind: str) -> tuple[bytes, float]:
    """A byte for each value, see above, and their scale."""
    known = np.nan_to_num(values.astype(np.float64), posinf=1e4, neginf=-1e4)
    scale = round(float(np.abs(known).max(initial=0)), 4) or 1.0
    if kind == "q":  # What is near to 1 and not 1 is shown to be so.
        apart = np.where(np.abs(known - 1) > 5e-4, np.sign(known - 1), 0)
        steps = 100 + apart * np.maximum(np.round(100 * np.abs(known - 1)), 1)
    else:
        root = np.sqrt(np.minimum(np.abs(known) / scale, 1))
        steps = 254 * root if kind == "plain" else 127 + 127 * np.sign(known) * root
    whole = np.clip(np.round(steps), 0, 254).astype(np.uint8)
    return np.where(np.isnan(values), np.uint8(NONE), whole).tobytes(), scale


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
    places = {id: place for place, id in enumerate(problems)}
    listed = [_row(row, runs.index(row.run), places[row.sample.id]) for row in rows]
    header = {"runs": runs, "problems": [*problems.values()], "rows": [head for head, _ in listed]}
    text = json.dumps(header | {"kinds": KINDS, "views": views}, separators=(",", ":")).encode()
    parts = [len(text).to_bytes(4, "little"), text, *(body for _, body in listed)]
    return base64.b64encode(zlib.compress(b"".join(parts), 9)).decode()


def _row(row: Shown, run: int, problem: int) -> tuple[dict, bytes]:
    """A completion in the header, and the bytes of its tokens."""
    sample = row.sample
    head = {"run": run, "problem": problem, "where": row.where, "reward": sample.reward}
    head |= {"finish": sample.finish, "reason": sample.reason, "text": sample.completion}
    if sample.tokens is None:
        return head, b""
    own = {name: quantised(array, KINDS[name]) for name, array in _arrays(sample).items()}
    scales = {name: scale for name, (_, scale) in own.items()}
    head |= {"tokens": len(sample.tokens.texts), "scales": scales}
    return head, b"".join([_lengths(sample.tokens), *(data for data, _ in own.values())])


def _arrays(sample: Sample) -> dict[str, np.ndarray]:
    assert sample.tokens is not None
    given = sample.tokens.figures
    arrays = {"entropy": given.get("entropies"), "q": given.get("q")}
    logps, ref_logps = given.get("logps"), given.get("ref_logps")
    if logps is not None:
        arrays["surprisal"] = -logps
        arrays["change"] = None if ref_logps is None else logps - ref_logps
    arrays["advantage"] = given.get("advantages")
    with np.errstate(invalid="ignore"):  # Infinity less infinity is unknown.
        return {name: array for name, array in arrays.items() if array is not None}


def _lengths(tokens: Tokens) -> bytes:
    counts = (len(text.encode("utf-16-le", "surrogatepass")) // 2 for text in tokens.texts)
    return b"".join(bytes([255] * (count // 255) + [count % 255]) for count in counts)
