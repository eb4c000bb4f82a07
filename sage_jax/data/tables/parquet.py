"""Rows of Parquet files."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sage_jax.data.problem import DataError
from sage_jax.data.tables.shards import Line
from sage_jax.telling import line

_BEGIN = b"PAR1"


def read_parquet(path: Path) -> list[Line]:
    """All rows of a file, nested columns as mappings and lists.

    Raises:
        DataError: it cannot be read, or is no Parquet file.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != _BEGIN:
                raise DataError(
                    f"{path}: this is no Parquet file, which begins with PAR1{_like(path)}"
                )
        return [Line(number, values) for number, values in enumerate(_rows(path), 1)]
    except IsADirectoryError as error:
        raise DataError(
            f"{path}: cannot be read: {line(error)}; name its files, as FOLDER/*.parquet"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {line(error)}") from error


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa  # Takes a while, and most tasks need none of it.
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield from itertools.chain.from_iterable(b.to_pylist() for b in file.iter_batches())
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {line(error)}") from error


def _like(path: Path) -> str:
    """Which task reads a file of that name."""
    ends = {".jsonl": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv"}
    use = next((ends[suffix] for suffix in path.suffixes if suffix in ends), "")
    return f"; take `task: {{use: {use}}}`" if use else ""
