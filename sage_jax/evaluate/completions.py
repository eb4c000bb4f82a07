"""Stored completions, one JSON object a line: written, read, judged and counted.

A line of ours holds the fields of `Completion`; one of another program at least "id" and
"completion", and whatever else, which is passed over.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sage_jax import json_lines
from sage_jax.files import ResultError
from sage_jax.paths import as_path
from sage_jax.telling import brief


@dataclass(frozen=True)
class Completion:
    """One completion, and what was found of it.

    Attributes:
        id: of the problem.
        completion: the text that was judged.
        suite: that the problem belongs to; "" where there is one alone.
        sample: place among the completions of its problem, from 0; None where they are not counted.
        answer: final answer; None where it gave none, or was not judged.
        correct: the verdict; None where it was not judged.
        reward: None where it was not judged.
        reason: of the verdict.
        mode: the way in which it is right, "" where it is wrong or none is told apart.
        length: in tokens; None where unknown.
        truncated: whether it was cut off at the length limit; None where unknown.
    """

    id: str
    completion: str
    suite: str = ""
    sample: int | None = None
    answer: str | None = None
    correct: bool | None = None
    reward: float | None = None
    reason: str = ""
    mode: str = ""
    length: int | None = None
    truncated: bool | None = None

    def line(self) -> str:
        r"""Its line, which `read_completions` gives back, with the newline; defaults are left out.

        >>> Completion("p1", "It is 4.", sample=0, correct=True).line()
        '{"id": "p1", "completion": "It is 4.", "sample": 0, "correct": true}\n'
        """
        fields = {k: v for k, v in asdict(self).items() if v is not None and v != ""}
        fields = {"id": self.id, "completion": self.completion} | fields
        return json.dumps(fields, allow_nan=False) + "\n"


Judge = Callable[[Sequence[Completion]], Sequence[Completion]]
"""Gives completions back with `correct`, and what else was found, filled in."""


def read_completions(path: str | Path) -> Iterator[Completion]:
    """The completions of a .jsonl or .jsonl.gz file one by one, in the file's order.

    Raises:
        ResultError: file, line, id and field are named; when it is come to, so a file that is cut
            off gives what stands before that.
    """
    path = as_path(path)
    number = 0
    try:
        for number, line in enumerate(json_lines.each_line(path), start=1):
            yield _completion(line, f"{path}, line {number}")
    except json_lines.JsonLinesError as error:
        where = f"{path}, after line {number}" if number else f"{path}"
        raise ResultError(f"{where}: {error}") from error
    if not number:
        raise ResultError(f"{path}: holds no completion; give one JSON object per line")


def evaluation_parts(folder: Path) -> list[Path]:
    """The files of completions that an evaluation keeps in a folder, in order; [] without any."""
    return sorted(folder.glob("part-*.jsonl.gz"))


def judged(
    completions: Iterable[Completion], judge: Judge, *, again: bool = False, batch: int = 1024
) -> Iterator[Completion]:
    """Completions with verdicts, in their order.

    Args:
        completions: of which those without a verdict are judged.
        judge: see `Judge`.
        again: judge also those that have a verdict.
        batch: completions handed to the judge at once, at most.

    Raises:
        ValueError: the judge gives back others, or leaves a verdict out.
    """
    rest = iter(completions)
    while some := [*itertools.islice(rest, batch)]:
        asked = [one for one in some if again or one.correct is None]
        answers = iter(_checked(judge(asked), asked) if asked else ())
        yield from (next(answers) if again or one.correct is None else one for one in some)


def _checked(found: Sequence[Completion], asked: Sequence[Completion]) -> Sequence[Completion]:
    if [one.id for one in found] != [one.id for one in asked]:
        raise ValueError(
            f"the judge must give back the {len(asked)} completions that it was given, in order"
        )
    for one in found:
        if one.correct is None:
            raise ValueError(f"the judge left a completion of {brief(one.id)} without a verdict")
    return found


_REQUIRED = {"id": str, "completion": str}
_OPTIONAL = {
    "suite": str, "sample": int, "answer": str, "correct": bool, "reward": float, "reason": str,
    "mode": str, "length": int, "truncated": bool,
}  # fmt: skip
_NOUNS = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


def _completion(line: bytes, where: str) -> Completion:
    try:
        row = json_lines.read_object(line)
    except json_lines.JsonLinesError as error:
        raise ResultError(f"{where}: {error}") from None
    if isinstance(row.get("id"), str) and row["id"].strip():
        where = f"{where} (id {brief(row['id'])})"
    for field in _REQUIRED:
        if row.get(field) is None:
            raise ResultError(f"{where}: field {field!r} is missing; it must be a string")
    fields = {
        field: row[field]
        for field in (*_REQUIRED, *_OPTIONAL)
        if row.get(field) is not None  # null says as much as nothing
    }
    for field, value in fields.items():
        _check(field, value, where)
    return Completion(**fields)


def _check(field: str, value: Any, where: str) -> None:
    kind = (_REQUIRED | _OPTIONAL)[field]
    allowed = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        hint = f'; write "{value}"' if field == "id" and type(value) is int else ""
        raise ResultError(
            f"{where}: field {field!r} must be {_NOUNS[kind]}, got {brief(value)}{hint}"
        )
    if field == "id" and not str(value).strip():
        raise ResultError(f"{where}: field 'id' is empty")
    if field in ("sample", "length") and value < 0:
        raise ResultError(f"{where}: field {field!r} must not be negative, got {brief(value)}")
    if field == "reward" and not math.isfinite(value):
        raise ResultError(f"{where}: field 'reward' must be finite, got {brief(value)}")
