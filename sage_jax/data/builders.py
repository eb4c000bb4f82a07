"""Problem files as a TensorFlow Datasets builder: ArrayRecord files, random access, no TensorFlow.

For data too large for memory, or to be read by many processes. A file of problems that fits is
read with `read_problems` just as well, in the same order.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from tensorflow_datasets.core import registered

from sage_jax.data.jsonl import read_problems
from sage_jax.data.problem import DataError, Problem

_FIELDS = ("id", "problem", "answer", "source", "solution")
_EXTRA = "extra"  # The other columns, as the text of a JSON object.

# The registry is for names that tfds.load looks up; this builder needs its files as an argument.
with registered.skip_registration():

    class Problems(tfds.core.GeneratorBasedBuilder):
        """Builder over JSON Lines files of problems, one for each split.

        Prepared data lie in a folder named after the files' contents, so that a changed file is
        prepared anew and data prepared from an earlier one are never taken for it.
        """

        VERSION = tfds.core.Version("2.0.0")
        url_infos: ClassVar[dict[str, Any]] = {}  # nothing is downloaded, so no checksums to find

        def __init__(
            self,
            *,
            files: Mapping[str, str | Path],
            data_dir: str | Path,
            source_prefix: str | None = None,
        ):
            """Make a builder.

            Args:
                files: path of the .jsonl or .jsonl.gz file of each split.
                data_dir: folder for the prepared files.
                source_prefix: as in `read_problems`.

            Raises:
                DataError: if there is no split or a file cannot be read.
            """
            self._files = {split: Path(path) for split, path in files.items()}
            self._source_prefix = source_prefix
            folder = Path(data_dir) / _fingerprint(self._files, source_prefix)
            super().__init__(data_dir=folder, file_format="array_record")

        def _info(self) -> tfds.core.DatasetInfo:
            features = {field: tfds.features.Text() for field in (*_FIELDS, _EXTRA)}
            return tfds.core.DatasetInfo(
                builder=self,
                description="Problems with answers that can be verified.",
                features=tfds.features.FeaturesDict(features),
                disable_shuffling=True,  # order is the business of data.order
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            del dl_manager  # nothing is downloaded
            return {split: self._generate_examples(path) for split, path in self._files.items()}

        def _generate_examples(self, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
            problems = read_problems(path, source_prefix=self._source_prefix)
            for index, problem in enumerate(problems):
                texts = {field: getattr(problem, field) or "" for field in _FIELDS}
                yield index, {**texts, _EXTRA: json.dumps(problem.extra)}


def _fingerprint(files: Mapping[str, Path], source_prefix: str | None) -> str:
    if not files:
        raise DataError("files must name at least one split")
    digest = hashlib.sha256((source_prefix or "").encode())
    for split, path in sorted(files.items()):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        digest.update(f"\0{split}\0{path.suffix}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def data_source(
    files: Mapping[str, str | Path],
    *,
    split: str,
    data_dir: str | Path,
    source_prefix: str | None = None,
) -> Any:
    """Prepare problem files as ArrayRecord, unless that is done, and open a split.

    Args:
        files: path of the JSON Lines file of each split.
        split: the split to open.
        data_dir: folder for the prepared files.
        source_prefix: as in `read_problems`.

    Returns:
        A random-access source with len() and [index], whose items `as_problem` reads; grain takes
        it as it is.

    Raises:
        DataError: if a file or the split is not what it should be.
    """
    if split not in files:
        raise DataError(f"split {split!r} is not among {sorted(files)}")
    builder = Problems(files=files, source_prefix=source_prefix, data_dir=data_dir)
    if not sys.stderr.isatty():  # Bars that are drawn over and over fill a log.
        tfds.disable_progress_bar()
    builder.download_and_prepare()
    # Its decorator hides the arguments from type checkers.
    return builder.as_data_source(split=split)  # pyright: ignore[reportCallIssue]


def as_problem(item: Mapping[str, Any]) -> Problem:
    """Read an item of a data source as a problem."""
    texts = {field: item[field].decode("utf-8") for field in _FIELDS}
    extra = json.loads(item[_EXTRA])
    return Problem(**{**texts, "solution": texts["solution"] or None}, extra=extra)
