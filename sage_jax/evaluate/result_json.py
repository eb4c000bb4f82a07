"""The JSON of an evaluation: read strictly, field by field."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sage_jax import json_text
from sage_jax.evaluate.problem_result import ProblemResult
from sage_jax.evaluate.summary import MEANS
from sage_jax.files import ResultError
from sage_jax.telling import brief

if TYPE_CHECKING:
    from sage_jax.evaluate.results import EvalResult

_SCALARS = {"tag": str, "step": int, "task": str, "samples": int, "seed": int, "temperature": float}
_PROBLEM = {
    "id": str, "correct": float, "samples": int, "answers": dict, "gold": str, "modes": dict,
}  # fmt: skip
_MAYBE = {"length": float, "truncated": float, "lost": float}
_NOUNS = {str: "text", int: "a whole number", float: "a number", dict: "an object", list: "a list"}


def content_of(result: EvalResult) -> dict[str, Any]:
    """What the file holds, without its summary."""
    content = {name: getattr(result, name) for name in _SCALARS}
    content["tokens"] = {name: [*values] for name, values in result.tokens.items()}
    content["problems"] = [
        {name: value for name, value in asdict(problem).items() if value is not None}
        for problem in result.problems
    ]
    return content


def read_content(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ResultError: the file is missing, or holds no JSON object.
    """
    try:
        content = json_text.read(path.read_bytes())
    except FileNotFoundError:
        raise ResultError(f"{path}: no such file") from None
    except ValueError as error:
        raise ResultError(f"{path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise ResultError(f"{path}: must hold a JSON object, got {type(content).__name__}")
    return content


def fields_of(content: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an `EvalResult`.

    Raises:
        ResultError: a field is missing, unknown or ill-typed; it is named, with its value.
    """
    fields = _typed(content, _SCALARS | {"tokens": dict, "problems": list, "summary": dict}, "")
    _check_tokens(fields["tokens"])
    means = _means(fields["summary"]) if fields["samples"] else {}
    problems = tuple(_problem(place, entry) for place, entry in enumerate(fields["problems"]))
    head = {name: fields[name] for name in (*_SCALARS, "tokens")}
    return {"problems": problems, **head, **means}


def _means(summary: dict[str, Any]) -> dict[str, Any]:
    """Those over all completions; null is one that is not known."""
    found = {name: summary[name] for name in MEANS if name in summary}
    known = {name: value for name, value in found.items() if value is not None}
    _typed(known, dict.fromkeys(known, float), "summary: ")
    if missing := [name for name in MEANS if name not in found]:
        raise ResultError(f"summary: field {missing[0]!r} is missing; it is a number or null")
    return found


def _typed(content: dict, fields: dict[str, type], where: str) -> dict:
    unknown = sorted(set(content) - set(fields))
    if unknown:
        raise ResultError(
            f"{where}unknown field {brief(unknown[0])}; known are {', '.join(fields)}"
        )
    for name, kind in fields.items():
        if name not in content:
            raise ResultError(f"{where}field {name!r} is missing")
        allowed = (int, float) if kind is float else kind
        value = content[name]
        if not isinstance(value, allowed) or isinstance(value, bool):
            raise ResultError(f"{where}{name} must be {_NOUNS[kind]}, got {brief(value)}")
    return content


def _problem(place: int, content: object) -> ProblemResult:
    if not isinstance(content, dict):
        raise ResultError(f"problems[{place}] must be an object, got {brief(content)}")
    maybe = {name: kind for name, kind in _MAYBE.items() if name in content}
    return ProblemResult(**_typed(content, _PROBLEM | maybe, f"problems[{place}]: "))


def _check_tokens(tokens: dict) -> None:
    for name, values in tokens.items():
        numbers = isinstance(values, list) and all(type(one) in (int, float) for one in values)
        if not numbers:
            raise ResultError(f"tokens: {name} must be a list of numbers, got {brief(values)}")
