"""Completions written down while training, read for people to look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sage_jax.files import ResultError, read_json_lines
from sage_jax.paths import as_path

FIGURES = ("entropies", "logps", "ref_logps", "q", "advantages")
"""Figures of tokens that a sample may have."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """The T tokens of a completion.

    Attributes:
        texts: T texts, which joined are the completion; "" where a token writes nothing.
        figures: some of `FIGURES`, float32[T] each, NaN where one is not known.
    """

    texts: tuple[str, ...]
    figures: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Sample:
    """One completion written down while training; `tokens` where each of them was looked at."""

    step: int
    id: str
    prompt: str
    completion: str
    reward: float
    gold: str
    finish: str
    reason: str = ""
    tokens: Tokens | None = field(default=None, compare=False)


def read_samples(path: str | Path) -> tuple[Sample, ...]:
    """Completions of a samples/step-XXXXXX.jsonl file; a torn last line is left out.

    Raises:
        ResultError: a line that is not an object, or a field that is ill-typed; both are named.
    """
    path = as_path(path)
    lines = read_json_lines(path)
    return tuple(_sample(entry, f"{path}, line {line}") for line, entry in lines)


def _sample(entry: dict, place: str) -> Sample:
    text = {name: entry.get(name, "") for name in ("id", "prompt", "completion", "gold")}
    for name, value in text.items():
        if not isinstance(value, str):
            raise ResultError(f"{place}: {name} must be text, got {value!r:.80}")
    reward, step = entry.get("reward"), entry.get("step")
    if isinstance(reward, bool) or not isinstance(reward, int | float):
        raise ResultError(f"{place}: reward must be a number, got {reward!r:.80}")
    if isinstance(step, bool) or not isinstance(step, int):
        raise ResultError(f"{place}: step must be a whole number, got {step!r:.80}")
    ends = {name: str(entry.get(name) or "") for name in ("finish", "reason")}
    tokens = _tokens(entry, text["completion"], place)
    return Sample(step=step, reward=float(reward), **ends, **text, tokens=tokens)


def _tokens(entry: dict, completion: str, place: str) -> Tokens | None:
    texts = entry.get("tokens")
    if texts is None:
        return None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ResultError(f"{place}: tokens must be a list of texts, got {texts!r:.80}")
    if "".join(texts) != completion:
        said = f"tokens joined are {''.join(texts)!r:.60} and not the completion"
        raise ResultError(f"{place}: {said}, {completion!r:.60}")
    given = {name: entry[name] for name in FIGURES if entry.get(name) is not None}
    figures = {name: _figure(value, len(texts), name, place) for name, value in given.items()}
    return Tokens(tuple(texts), figures)


def _figure(value: Any, count: int, name: str, place: str) -> np.ndarray:
    values = value if isinstance(value, list) else [value] * count
    if len(values) != count or not all(_is_number(one) for one in values):
        must = f"{name} must be a number for each of {count} tokens"
        raise ResultError(f"{place}: {must}, got {value!r:.80}")
    with np.errstate(over="ignore"):  # Beyond float32 it is infinite.
        return np.array(values, np.float64).astype(np.float32)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
