"""Rows of TensorFlow Datasets, read from ArrayRecord files, without TensorFlow."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import registered

from sage_jax.data.problem import DataError
from sage_jax.data.rows import Row, Table
from sage_jax.telling import line


def read_tfds(name: str, *, split: str, data_dir: str) -> Table:
    """A split of a data set, which is prepared unless that is done.

    Args:
        name: of the data set, with configuration and version where they matter, as
            `gsm8k`, `name/config` or `name/config:1.0.0`.
        split: of TFDS, so that `train[:10%]` is one, too.
        data_dir: where prepared files lie; empty for TFDS's own folder.

    Raises:
        DataError: with what TFDS says is wrong.
    """
    told = f"{name} ({split})"
    if ":" in name.split("/")[0]:
        raise DataError(f"task.name: {name!r}: name a data set of TFDS itself, without a namespace")
    if not sys.stderr.isatty():  # Bars that are drawn over and over fill a log.
        tfds.disable_progress_bar()
    try:
        rows = [*_source(name, split, data_dir)]
    except registered.DatasetNotFoundError:
        where = data_dir or "TFDS's own folder"
        raise DataError(
            f"{told}: TFDS knows no data set of this name, and none lies prepared in {where}: see "
            "https://www.tensorflow.org/datasets/catalog"
        ) from None
    except Exception as error:  # Of whatever kind: each builder has its own.
        raise DataError(f"{told}: {type(error).__name__}: {line(error)}") from error
    stem = f"{name.partition(':')[0].replace('/', '-')}-{split}"
    return Table(
        told, [Row(f"{stem}-{n}", f"row {n}", plain(row)) for n, row in enumerate(rows, 1)]
    )


def _source(name: str, split: str, data_dir: str) -> Any:
    where: Any = {"data_dir": data_dir} if data_dir else {}
    builder = tfds.builder(name, file_format="array_record", **where)
    builder.download_and_prepare()
    # Its decorator hides the arguments from type checkers.
    return builder.as_data_source(split=split)  # pyright: ignore[reportCallIssue]


def plain(value: Any) -> Any:
    """NumPy's values as Python's, and bytes that are UTF-8 as text."""
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value
