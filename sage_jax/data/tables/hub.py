"""Rows of data sets in Hugging Face's form: on the hub, or in a folder."""

import importlib
import sys
from pathlib import Path
from typing import Any

from sage_jax.data.problem import DataError
from sage_jax.data.rows import Row, Table
from sage_jax.telling import line

_SAVED = ("dataset_dict.json", "state.json")  # What `save_to_disk` leaves.


def read_hub(path: str, *, name: str, split: str, revision: str) -> Table:
    """A split of a data set.

    Args:
        path: ORG/NAME of the hub, or a folder.
        name: of its configuration; empty for the only one.
        split: of `datasets`, so that `train[:500]` is one, too.
        revision: a commit, tag or branch of the hub; empty for the newest.

    Raises:
        DataError: `datasets` is not installed, or says what is wrong.
    """
    datasets = _datasets()
    told = f"{path} ({', '.join(filter(None, (name, split)))})"
    if not sys.stderr.isatty():  # Bars that are drawn over and over fill a log.
        datasets.disable_progress_bars()
    try:
        found = _load(datasets, path, name, split, revision)
        stem = f"{path.rstrip('/').rpartition('/')[2]}-{split}"
        rows = [Row(f"{stem}-{n}", f"row {n}", dict(row)) for n, row in enumerate(found, 1)]
    except Exception as error:  # Of whatever kind: its readers and clients have many.
        raise DataError(f"{told}: {type(error).__name__}: {line(error)}") from error
    return Table(told, rows)


def _datasets() -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise DataError(
            f"task {{use: hf}} needs the package datasets: install sage-jax[hf] ({error}). Parquet "
            "files on disk need nothing further: {use: parquet, train_file: ...}"
        ) from None


def _load(datasets: Any, path: str, name: str, split: str, revision: str) -> Any:
    folder = Path(path)
    if any((folder / file).is_file() for file in _SAVED):
        return _saved(datasets.load_from_disk(path), split)
    return datasets.load_dataset(path, name or None, split=split, revision=revision or None)


def _saved(found: Any, split: str) -> Any:
    if not isinstance(found, dict):
        if split not in ("train", str(found.split)):
            raise ValueError(f"it holds one split, and not {split!r}")
        return found
    if split not in found:
        raise ValueError(f"there is no split {split!r}; there are {', '.join(found)}")
    return found[split]
