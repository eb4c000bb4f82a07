"""metrics.jsonl, what training measured at each step, as columns."""

from pathlib import Path

import numpy as np

from sage_jax.files import ResultError, read_json_lines
from sage_jax.paths import as_path


def _number(value: object, place: str, key: str) -> float:
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ResultError(f"{place}: {key} must be a number or null, got {value!r}")
    return float(value)


def _check_steps(path: Path, entries: list[tuple[int, dict]]) -> None:
    previous = None
    for line, entry in entries:
        step = entry.get("step")
        if not isinstance(step, int) or isinstance(step, bool):
            raise ResultError(f"{path}, line {line}: step must be a whole number, got {step!r}")
        if previous is not None and step <= previous:
            raise ResultError(
                f"{path}, line {line}: steps must increase, got {step} after {previous}"
            )
        previous = step


def read_metrics(path: str | Path) -> dict[str, np.ndarray]:
    """Columns of a metrics.jsonl file, by key.

    A step that lacks a key, or has null there, reads as NaN. A torn last line (a crash in the
    middle of a write) is left out.

    Returns:
        {key: [steps] float64}; "step" is always there, strictly increasing.

    Raises:
        ResultError: no such file, a line that is not a JSON object, a value that is not a number,
            steps that are missing or do not increase; file and line are named.
    """
    path = as_path(path)
    if not path.is_file():
        raise ResultError(f"{path}: no such file")
    entries = read_json_lines(path)
    _check_steps(path, entries)
    keys = dict.fromkeys(["step", *(key for _, entry in entries for key in entry)])
    columns = {key: np.full(len(entries), np.nan) for key in keys}
    for row, (line, entry) in enumerate(entries):
        for key, value in entry.items():
            columns[key][row] = _number(value, f"{path}, line {line}", key)
    return columns


def smooth(values: np.ndarray, width: float) -> np.ndarray:
    """Gaussian running mean that leaves NaNs out and does not lag.

    Args:
        values: [S], in step order.
        width: standard deviation of the kernel in entries; 0 returns the values.

    Returns:
        [S]; NaN only where everything within four widths is NaN.

    >>> smooth(np.array([1.0, np.nan, 1.0]), 1.0).round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    if width <= 0 or len(values) < 2:
        return values
    reach = max(1, min(len(values) - 1, int(4 * width)))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    known = np.isfinite(values)
    middle = slice(reach, reach + len(values))
    total = np.convolve(np.where(known, values, 0.0), kernel)[middle]
    weight = np.convolve(known.astype(float), kernel)[middle]
    return np.divide(total, weight, out=np.full(len(values), np.nan), where=weight > 0)


def thin(values: np.ndarray, most: int) -> np.ndarray:
    """At most `most` entries: means of runs of neighbours, NaNs left out, for drawing.

    >>> thin(np.array([1.0, 3.0, 5.0, 7.0, 9.0]), 3).tolist()
    [2.0, 6.0, 9.0]
    """
    size = -(-len(values) // most)
    if size <= 1:
        return values
    starts = np.arange(0, len(values), size)
    known = np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0), starts)
    count = np.add.reduceat(known.astype(float), starts)
    return np.divide(total, count, out=np.full(len(starts), np.nan), where=count > 0)
