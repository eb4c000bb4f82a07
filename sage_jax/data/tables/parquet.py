"""Rows of Parquet files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sage_jax.data.problem import DataError
from sage_jax.data.tables.shards import Line, header_of
from sage_jax.telling import brief, line

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
            names = header_of(path, file.schema_arrow.names)
            for batch in file.iter_batches():
                columns = map(_values, [path] * len(names), names, batch.columns)
                yield from (
                    dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)
                )
    except DataError:
        raise
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {line(error)}") from error


def _values(path: Path, name: str, column: Any) -> list[Any]:
    """A column as Python's values; times that Python has none for, as of nanoseconds, as text.

    Raises:
        DataError: it holds what is none.
    """
    import pyarrow as pa

    # With pandas at hand they would be its own kind of time, without it an error.
    if getattr(column.type, "unit", "") == "ns":
        column = column.cast(pa.string())
    try:
        return column.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError) as error:
        if pa.types.is_temporal(column.type):
            return column.cast(pa.string()).to_pylist()
        raise DataError(
            f"{path}: column {brief(name)} of {column.type} cannot be read: {line(error)}"
        ) from error


def _like(path: Path) -> str:
    """Which task reads a file of that name."""
    ends = {".jsonl": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv"}
    use = next((ends[suffix] for suffix in path.suffixes if suffix in ends), "")
    return f"; take `task: {{use: {use}}}`" if use else ""
