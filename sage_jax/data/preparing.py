"""Data sets of TFDS, prepared once: whole or not at all, by one process of several."""

import contextlib
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from filelock import FileLock
from tensorflow_datasets.core import constants

from sage_jax import paths
from sage_jax.data.builders import Problems, Recipe, as_problem
from sage_jax.data.problem import DataError, Problem
from sage_jax.parallel import hosts
from sage_jax.telling import line

_INFO = "dataset_info.json"  # Without it TFDS reads nothing.


def read(recipe: Recipe, *, data_dir: str = "", manual_dir: str = "") -> dict[str, list[Problem]]:
    """Prepare what a recipe gives, unless that is done, and read every split. A collective.

    The first process prepares it while the others wait. Then each of them looks for itself, since
    a disk may be its own; those on one machine do so one at a time. What is prepared appears under
    its name once it is whole, and what a process left that was killed is removed.

    Args:
        recipe: what is prepared.
        data_dir: folder of TFDS data sets, also gs://; empty is TFDS's own default, which is
            `TFDS_DATA_DIR` or ~/tensorflow_datasets.
        manual_dir: TFDS's folder of files by hand; empty is `downloads/manual` in `data_dir`.

    Raises:
        DataError: the recipe's; `data_dir` cannot be written; or what is there is not whole.
        PathError: it is no path that can be used.
    """
    home = folder(recipe, data_dir)
    for first in (True, False):
        if hosts.is_main() == first:
            _prepare(recipe, home, manual_dir)
        hosts.barrier()
    # ArrayRecord reads no buckets.
    with _told(home), paths.local_copy(home, ["*"]) as near:
        builder = tfds.builder_from_directory(near)
        return {split: _all(builder, split) for split in builder.info.splits}


def _all(builder: tfds.core.DatasetBuilder, split: str) -> list[Problem]:
    # Its decorator hides the arguments from type checkers.
    source: Any = builder.as_data_source(split=split)  # pyright: ignore[reportCallIssue]
    # All at once: one by one takes several times as long.
    return [as_problem(item) for item in source.__getitems__(range(len(source)))]


def folder(recipe: Recipe, data_dir: str = "") -> Path:
    """Where a recipe's data lie once they are prepared."""
    home = paths.as_path(data_dir or constants.DATA_DIR)
    return home / recipe.name / recipe.version


def _prepare(recipe: Recipe, home: Path, manual_dir: str) -> None:
    if _is_there(home):
        return
    if paths.is_remote(home):
        # No folder of a bucket is moved whole: what says that all is there is uploaded last.
        with tempfile.TemporaryDirectory(prefix="sage-jax-") as near:
            _make(recipe, near, manual_dir)
            paths.upload(folder(recipe, near), home, last=_INFO)
        return
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(home.parent / f".{home.name}.lock"):
            for left in home.parent.glob(f"{constants.INCOMPLETE_PREFIX}*_{home.name}"):
                shutil.rmtree(left, ignore_errors=True)
            if not _is_there(home):  # Another process may have been here first.
                _make(recipe, str(home.parents[1]), manual_dir)
    except OSError as error:
        raise DataError(
            f"{home.parent}: data cannot be prepared there: {line(error)}; name another folder as "
            "data_dir"
        ) from error


def _is_there(home: Path) -> bool:
    # What lies on a disk was moved there whole; a folder without this file was damaged since.
    return (home / _INFO).exists() if paths.is_remote(home) else home.exists()


def _make(recipe: Recipe, data_dir: str, manual_dir: str) -> None:
    if not sys.stderr.isatty():  # Bars that are drawn over and over fill a log.
        tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(manual_dir=manual_dir or None)
    with contextlib.redirect_stdout(io.StringIO()):  # Where it says that it begins and ends.
        Problems(recipe, data_dir=data_dir).download_and_prepare(download_config=config)


@contextlib.contextmanager
def _told(home: Path) -> Iterator[None]:
    """Name the folder of prepared data that cannot be read; readers have many classes of faults."""
    try:
        yield
    except paths.PathError:  # The bucket's fault.
        raise
    except Exception as error:
        raise DataError(
            f"{home}: the prepared data cannot be read: {type(error).__name__}: {line(error)}; "
            "remove this folder, and they are prepared again"
        ) from error
