"""The files of a data set: given by hand, or downloaded."""

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from sage_jax.data.named.data_set import DataSet, Split
from sage_jax.data.problem import DataError, Problem
from sage_jax.telling import line

Download = Callable[[list[str]], list[Path]]
"""Addresses -> the files that were found there."""


def read(data: DataSet, folder: Path | None, download: Download) -> dict[str, list[Problem]]:
    """The problems of every split, from a file by hand where there is one, or else from upstream.

    Args:
        data: the data set.
        folder: of the files by hand; None where there is none.
        download: gets upstream's files.

    Raises:
        DataError: one line that names the files and where to put them, or how what was found
            differs from what is known by this name.
    """
    return {name: _split(data, name, folder, download) for name in data.splits}


def _split(data: DataSet, name: str, folder: Path | None, download: Download) -> list[Problem]:
    split = data.splits[name]
    if folder is not None and (folder / split.file).exists():
        found, origin = split.read_file(folder / split.file), str(folder / split.file)
    else:
        found, origin = _downloaded(data, split, folder, download), " and ".join(split.urls)
    if fault := split.fault(found):
        raise DataError(
            f"{data.name}, {name}: {origin} gives {fault}: give {split.file} by hand (docs/data.md)"
        )
    return found


def _downloaded(
    data: DataSet, split: Split, folder: Path | None, download: Download
) -> list[Problem]:
    try:
        _knock(split.urls[0])
        paths = [Path(path) for path in download([*split.urls])]
    except Exception as error:  # Those of connections are of many classes.
        raise DataError(_nowhere(data, split, folder, error)) from error
    if split.content is None:
        return split.read_file(paths[0])
    return split.convert(paths)


def _knock(url: str) -> None:
    """Ask once whether anybody is there: TFDS asks ten times, for minutes."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20):
            pass
    except urllib.error.HTTPError as error:  # Somebody is; what is wrong, the download says.
        error.close()


def _nowhere(data: DataSet, split: Split, folder: Path | None, error: Exception) -> str:
    files = dict.fromkeys(one.file for one in data.splits.values())
    missing = [file for file in files if folder is None or not (folder / file).exists()]
    host = split.urls[0].split("/")[2]
    return (
        f"{data.name}: no {' and no '.join(missing)} "
        f"{f'in {folder}' if folder else 'given by hand'}, and nothing from {host} "
        f"({line(error)[:100]}): put {' and '.join(missing)} into a folder and name it as "
        "manual_dir beside `use`, or as SAGE_DATA_DIR in the environment (docs/data.md says which "
        "files these are)"
    )
