"""Digests by which a file is known again, cheap enough to take at every start."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sage_jax import models, paths
from sage_jax.data import tables

WHOLE = 256 * 2**20
"""Bytes of a file up to which all of it is read; of a larger one only places."""

_PLACE, _PLACES = 2**16, 1024  # Bytes of a place, and how many lie evenly over a file.
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
# What a model's folder is read from besides its weights.
_BESIDE = re.compile(
    r"(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab"
    r"|chat_template)\.json|model\.safetensors\.index\.json|merges\.txt|tokenizer\.model|.*\.jinja"
)
_SNAPSHOT = re.compile(r"models--[^/]+/snapshots/([0-9a-f]{40})$")


def of_model(source: str) -> dict[str, str]:
    """Digests of what a model is loaded from, by file; of a hub's snapshot only its commit.

    Files that `models.load` does not read count for nothing, nor do names of folders or times.
    Objects in a bucket are known by size and the CRC that the bucket keeps of them.

    Raises:
        ModelError: the source is not there.
        OSError, PathError: it cannot be read.
    """
    path = models.locate(source)
    if found := _SNAPSHOT.search(str(path)):
        return {"commit": found[1]}
    if paths.is_remote(path):
        return _in_bucket(path)
    files = _files(path) if path.is_dir() else [path]
    return {file.name: of_file(file) for file in files if file.is_file()}


def _files(folder: Path) -> list[Path]:
    beside = sorted(file for file in folder.iterdir() if _BESIDE.fullmatch(file.name))
    return beside + [folder / name for name in _weights(folder)]


def _weights(folder: Path) -> list[str]:
    """Names of the files of weights; the reader tells what is wrong with an index."""
    try:
        owners = json.loads((folder / _INDEX).read_bytes())["weight_map"].values()
        return sorted({Path(name).name for name in owners})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [_WEIGHTS]


def _in_bucket(path: Path) -> dict[str, str]:
    alone = path.suffix == ".gguf"
    known = paths.inventory(path.parent if alone else path)
    return {
        name: f"{facts.get('size')} bytes, crc32c {facts.get('crc32c')}"
        for name, facts in sorted(known.items())
        if (
            name == path.name if alone else _BESIDE.fullmatch(name) or name.endswith(".safetensors")
        )
    }


def of_file(path: Path) -> str:
    """Size and SHA-256 of a file, or of places in it where it is larger than `WHOLE`.

    Those are the first and last of its bytes, 1024 pieces of 64 KiB at even distances, and the
    beginning of each tensor of a safetensors file with its header. Weights that were trained differ
    in all of them; a change of less than a tensor, or of one in a GGUF file, may lie in between.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= WHOLE:
            return f"{size} bytes, sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"
        state = hashlib.sha256()
        for start, length in _places(path, file, size):
            file.seek(start)
            state.update(file.read(length))
    return f"{size} bytes, sha256 of places {state.hexdigest()}"


def of_data(pattern: str) -> str:
    """Digest of a file of data, or of all that a pattern names; empty where none is on this disk.

    Of several count number, bytes, contents and order, and no names.
    """
    files = [] if paths.is_remote(pattern) else tables.files_of(pattern)
    if not files or not all(file.is_file() for file in files):
        return ""  # What is not there is told of by the reader, who knows the field.
    found = [of_file(file) for file in files]
    if len(found) == 1:
        return found[0]
    size, state = sum(file.stat().st_size for file in files), hashlib.sha256()
    state.update("\n".join(found).encode())
    return f"{size} bytes in {len(found)} files, sha256 {state.hexdigest()}"


def _places(path: Path, file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """(first byte, length) of what is read of a large file."""
    if path.suffix == ".safetensors":
        yield from _tensors(file)
    for place in range(_PLACES):
        yield (size - _PLACE) * place // (_PLACES - 1), _PLACE


def _tensors(file: BinaryIO) -> Iterator[tuple[int, int]]:
    length = int.from_bytes(file.read(8), "little")
    try:
        header: dict[str, Any] = json.loads(file.read(min(length, WHOLE)))
        starts = [
            entry["data_offsets"][0] for name, entry in header.items() if name != "__metadata__"
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # The reader tells what is wrong with it.
    yield 0, 8 + length
    for start in sorted(starts):
        yield 8 + length + int(start), _PLACE
