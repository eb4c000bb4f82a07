"""Data sets of the field by name: each prepared once by TFDS, from files by hand or from upstream.

A name, a version and a checksum say what the problems are, whichever way they came.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sage_jax.data.named import files
from sage_jax.data.named.competitions import AIME24, AIME25, AMC23
from sage_jax.data.named.dapo import DAPO_MATH_17K
from sage_jax.data.named.data_set import DataSet
from sage_jax.data.named.gsm8k import GSM8K
from sage_jax.data.named.hendrycks import MATH, MATH500
from sage_jax.data.named.minerva import MINERVA
from sage_jax.data.problem import DataError, Problem
from sage_jax.paths import as_path

VARIABLE = "SAGE_DATA_DIR"
"""Environment variable that names the folder of files by hand where no config does."""

DATA_SETS: dict[str, DataSet] = {
    one.name: one for one in (GSM8K, MATH, MATH500, AIME24, AIME25, AMC23, MINERVA, DAPO_MATH_17K)
}
"""All of them, by name."""


def load(
    data: DataSet,
    *,
    data_dir: str = "",
    manual_dir: str = "",
    environment: Mapping[str, str] = os.environ,
) -> dict[str, list[Problem]]:
    """The problems of every split. A collective.

    Args:
        data: one of `DATA_SETS`.
        data_dir: folder of TFDS data sets, see `preparing.read`.
        manual_dir: folder of files by hand; else that in `SAGE_DATA_DIR`. Not read where the data
            are prepared.
        environment: where `SAGE_DATA_DIR` is looked up.

    Raises:
        DataError: one line: the folder is not there, the data are neither there nor to be had, or
            are others than are known by this name.
    """
    from sage_jax.data import preparing  # TFDS takes seconds.
    from sage_jax.data.builders import Recipe

    said = manual_dir or environment.get(VARIABLE, "")
    by = "manual_dir" if manual_dir else VARIABLE
    recipe = Recipe(
        name=f"sage_jax_{data.name}",  # TFDS has a gsm8k of its own, with other columns.
        version=data.version,
        read=lambda manager: files.read(data, _by_hand(manager, said, by), manager.download),
        description=data.description,
        homepage=data.homepage,
        citation=data.citation,
        licence=data.licence,
    )
    found = preparing.read(recipe, data_dir=data_dir, manual_dir=said)
    for name, split in data.splits.items():
        if fault := split.fault(found[name]):
            raise DataError(
                f"{preparing.folder(recipe, data_dir)}: {name} holds {fault}; remove this folder, "
                "and it is prepared again"
            )
    return found


def _by_hand(manager: Any, said: str, by: str) -> Path | None:
    """TFDS's folder of files by hand; it must be there where one is named."""
    if said and not as_path(said).is_dir():
        raise DataError(f"{by} {said}: there is no such folder; name that of the files by hand")
    try:
        return Path(manager.manual_dir)
    except AssertionError:  # There is none, or it is empty.
        return None
