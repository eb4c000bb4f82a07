"""Problems from JSON Lines files, read strictly."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sage_jax import json_lines
from sage_jax.data.problem import DataError, Problem
from sage_jax.rewards import VerifierPool
from sage_jax.rewards.golds import why_not
from sage_jax.rewards.math import is_read, natural
from sage_jax.telling import brief

_REQUIRED = ("id", "problem", "answer")
_OPTIONAL = ("source", "solution")
_SHOWN = 10


def read_problems(path: str | Path, *, source_prefix: str | None = None) -> list[Problem]:
    """Read problems from a .jsonl or .jsonl.gz file, in the file's order.

    Gzip is known by the file's first bytes. Each line is an object with the strings "id", "problem"
    and "answer", none of them empty, and perhaps "source" and "solution"; others are `extra`.
    The whole file is checked, also the problems that are filtered out.

    Args:
        path: the file.
        source_prefix: keep only problems whose source begins so, as "dapo_math_17k/en" for the
            English ones of DAPO-Math-17k.

    Raises:
        DataError: naming file, line, id and field, if the file or one of its lines is bad, an id is
            used twice, or no problem is left.
    """
    path = Path(path)
    lines_by_id: dict[str, int] = {}
    problems = []
    for number, line in enumerate(_lines(path), start=1):
        problem = _problem(line, f"{path}, line {number}")
        if problem.id in lines_by_id:
            raise DataError(
                f"{path}, line {number}: id {problem.id!r} is already used on line "
                f"{lines_by_id[problem.id]}; every id must be unique"
            )
        lines_by_id[problem.id] = number
        problems.append(problem)
    if not problems:
        raise DataError(f"{path}: holds no problem; give one JSON object per line")
    return of_source(problems, source_prefix, path)


def of_source(problems: list[Problem], prefix: str | None, path: str | Path) -> list[Problem]:
    """Those of some problems whose source begins so.

    Raises:
        DataError: there are none.
    """
    kept = [problem for problem in problems if problem.source.startswith(prefix or "")]
    if not kept:
        sources = sorted({problem.source for problem in problems})
        raise DataError(
            f"{path}: no problem's source begins with {prefix!r}; its sources are "
            f"{', '.join(map(repr, sources[:_SHOWN]))}{', ...' if len(sources) > _SHOWN else ''}"
        )
    return kept


def _lines(path: Path) -> list[bytes]:
    try:
        return json_lines.read_lines(path)
    except json_lines.JsonLinesError as error:
        raise DataError(f"{path}: {error}") from error


def _problem(line: bytes, where: str) -> Problem:
    row = _object(line, where)
    if isinstance(row.get("id"), str) and row["id"].strip():
        where = f"{where} (id {brief(row['id'])})"
    for field in _REQUIRED:
        if field not in row:
            raise DataError(
                f"{where}: field {field!r} is missing; it must be a non-empty string, unless "
                "task.columns says where what lies, as {problem: question}"
            )
    for field in (*_REQUIRED, *_OPTIONAL):
        if field in row:
            _check_text(row[field], field, where)
    return Problem(
        id=row["id"],
        problem=row["problem"],
        answer=row["answer"],
        source=row.get("source", ""),
        solution=row.get("solution") or None,
        extra={name: row[name] for name in sorted(row.keys() - {*_REQUIRED, *_OPTIONAL})},
    )


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        return json_lines.read_object(line)
    except json_lines.JsonLinesError as error:
        raise DataError(f"{where}: {error}") from error


def _check_text(value: Any, field: str, where: str) -> None:
    if not isinstance(value, str):
        hint = f'; write "{value}"' if isinstance(value, int) and value not in (0, 1) else ""
        raise DataError(f"{where}: field {field!r} must be a string, got {_brief(value)}{hint}")
    if field in _REQUIRED and not value.strip():
        raise DataError(f"{where}: field {field!r} is empty")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: field {field!r} holds half a surrogate pair at character {error.start}"
        ) from error


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def check_golds(problems: Sequence[Problem], pool: VerifierPool) -> None:
    r"""Refuse problems whose gold answer no natural answer can equal.

    A gold equals its own copy, letter for letter, whatever it holds. So each of its parts must be
    one that the verifier reads (see `rewards.golds`): a whole solution, a placeholder such as
    "N/A", HTML, or mathematics that cannot be parsed is refused. Run this once when data are
    loaded for training: no completion could ever earn a reward on such a problem.

    Args:
        problems: the problems.
        pool: the verifier.

    Raises:
        DataError: naming the ids, answers and reasons.
    """
    reasons = _unread(dict.fromkeys(problem.answer for problem in problems), pool)
    bad = [
        f"{problem.id} ({problem.answer[:60]!r}: {reasons[problem.answer]})"
        for problem in problems
        if problem.answer in reasons
    ]
    if bad:
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise DataError(
            f"{len(bad)} gold answers cannot be read by the verifier: "
            f"{', '.join(bad[:_SHOWN])}{more}; correct them or leave these problems out"
        )


def _unread(golds: Iterable[str], pool: VerifierPool) -> dict[str, str]:
    """The golds that no natural answer can equal, each with the reason."""
    bad, asked = {}, []
    for gold in golds:
        if reason := why_not(gold):
            bad[gold] = reason
        else:
            asked += [(gold, completion, part) for completion, part in natural(gold)]
    verdicts = pool.score([(completion, part) for _, completion, part in asked])
    for (gold, _, part), verdict in zip(asked, verdicts, strict=True):
        if not is_read(verdict.reason, part):
            bad.setdefault(gold, verdict.reason)
    return bad
