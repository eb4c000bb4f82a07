"""Files of completions to score, as `sage-jax verify` reads them."""

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sage_jax import json_lines, json_text
from sage_jax.rewards.math import Verdict
from sage_jax.rewards.pool import VerifierPool
from sage_jax.telling import OneLine, UserError

_FIELDS = ("id", "gold", "completion")
# Enough to keep any number of workers busy without holding the verdicts of a large file.
_IN_FLIGHT = 1024


class VerifyFileError(OneLine, UserError):
    """A file to verify is not what it should be; the message names the line."""


@dataclass(frozen=True)
class Pair:
    """One line: a completion and the gold answer it is to be judged by."""

    id: str
    gold: str
    completion: str
    question: str = ""


def read_pairs(path: str | Path) -> list[Pair]:
    r"""Read lines {"id", "gold", "completion"}, perhaps with "question", all strings.

    Other fields are ignored, and so are blank lines and a byte order mark; the file may be gzipped.

    Raises:
        VerifyFileError: naming file and line, if the file cannot be read or a line is malformed.
    """
    path = Path(path)
    try:
        lines = json_lines.read_lines(path)
    except json_lines.JsonLinesError as error:
        raise VerifyFileError(f"{path}: {error}") from error
    return [
        _pair(line, f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _pair(line: bytes, where: str) -> Pair:
    try:
        row = json_text.read(line.decode("utf-8"))
    except ValueError as error:
        raise VerifyFileError(f"{where}: not a line of JSON in UTF-8: {error}") from error
    if not isinstance(row, dict):
        raise VerifyFileError(f"{where}: must be an object with {', '.join(_FIELDS)}")
    for field in _FIELDS:
        if not isinstance(row.get(field), str):
            found = f"is {json.dumps(row[field])[:60]}" if field in row else "is missing"
            raise VerifyFileError(f"{where}: field {field!r} {found}; it must be a string")
    if not isinstance(row.get("question", ""), str):
        raise VerifyFileError(f"{where}: field 'question' must be a string")
    return Pair(*(row[field] for field in _FIELDS), question=row.get("question", ""))


def verify_file(path: str | Path, pool: VerifierPool) -> Iterator[dict[str, Any]]:
    """Score a file with the reward used in training, line for line and in order.

    The whole file is read and checked before anything is scored.

    Args:
        path: JSON Lines of {"id", "gold", "completion"}, perhaps with "question".
        pool: the verifier.

    Yields:
        {"id", "reward", "reason", "seconds"} for each line.

    Raises:
        VerifyFileError: naming file and line, before the first verdict.
        VerifierError: if the pool cannot work.
    """
    pairs = read_pairs(path)
    return _verdicts(pairs, pool)


def _verdicts(pairs: list[Pair], pool: VerifierPool) -> Iterator[dict[str, Any]]:
    waiting: deque[tuple[str, Future[Verdict]]] = deque()
    for pair in pairs:
        waiting.append((pair.id, pool.submit(pair.completion, pair.gold, pair.question)))
        if len(waiting) >= _IN_FLIGHT:
            yield _line(*waiting.popleft())
    while waiting:
        yield _line(*waiting.popleft())


def _line(name: str, future: "Future[Verdict]") -> dict[str, Any]:
    verdict = future.result()
    return {
        "id": name,
        "reward": verdict.reward,
        "reason": verdict.reason,
        "seconds": round(verdict.seconds, 6),
    }
