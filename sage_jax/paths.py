"""Paths of run folders and models: on this machine, or `gs://BUCKET/FOLDER` in a bucket.

A bucket holds objects and no folders. An object appears whole once its upload ends and cannot be
appended to; a folder is there as long as the name of an object begins with it.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from sage_jax.telling import OneLine, UserError

_SCHEME = "gs://"


class PathError(OneLine, UserError):
    """A path that cannot be used; the message names it and why."""


def as_path(text: str | Path) -> Path:
    """A path with the reading methods of `pathlib.Path`, in a bucket where it begins with gs://.

    A home folder, as in ~/data, is filled in: YAML knows none.

    Raises:
        PathError: another kind of address, no folder in the bucket, gcsfs is not installed, or
            text that no path can hold.
    """
    text = str(text)
    if not _is_name(text):
        raise PathError(f"{text}: no path holds such characters")
    if not is_remote(text):
        return Path(os.path.expanduser(text))
    if not text.startswith(_SCHEME):
        raise PathError(f"{text}: a path is local or begins with {_SCHEME}")
    bucket, _, folder = text.removeprefix(_SCHEME).partition("/")
    if not bucket or not folder.strip("/"):
        raise PathError(f"{text}: name a folder in a bucket, {_SCHEME}BUCKET/FOLDER")
    _prepare_client(text)
    # Only here, since most commands never see a bucket.
    from etils import epath

    path: Any = epath.Path(text)
    return path


def _is_name(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _prepare_client(text: str) -> None:
    import fsspec
    import fsspec.config

    # A client remembers what a folder held, and would not see what other processes and TensorStore
    # have written since.
    fsspec.config.conf.setdefault("gcs", {}).setdefault("use_listings_cache", False)
    try:
        fsspec.get_filesystem_class("gcs")
    except ImportError as error:
        raise PathError(f"{text}: install sage-jax[gcs] ({error})") from None


def is_remote(path: str | Path) -> bool:
    """Whether a path lies in a bucket."""
    return "://" in str(path)


def resolved(path: Path) -> Path:
    """A path that does not depend on the working folder: one in a bucket never does."""
    return path if is_remote(path) else path.resolve()


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns any fault of using a bucket, of which clients have many classes, into `PathError`.

    Faults of local paths go through as they are.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, PathError) or not is_remote(path):
            raise
        line = (str(error).strip().splitlines() or ["no message"])[0]
        raise PathError(f"{path}: cannot be used: {type(error).__name__}: {line}") from error


def reach(path: Path) -> Path:
    """Asks for a path once, so that a wrong name or missing rights are told at once.

    Raises:
        PathError: the bucket or disk does not answer, or not to us.
    """
    try:
        with told(path):
            path.exists()
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise PathError(f"{str(path)[:200]}: cannot be used: {error.strerror}") from None
    return path


def to_write(path: Path, *, a_file: bool = False) -> Path:
    """A path that is to be written in the end, refused before any work if that cannot be.

    Args:
        path: a folder, or a file.
        a_file: whether it is a file.

    Raises:
        PathError: on this disk something else stands there, or above it, or it may not be written.
    """
    if is_remote(path):
        return path
    above = next(one for one in (path, *path.absolute().parents) if one.exists())
    here = above.absolute() == path.absolute()
    if here and a_file and above.is_dir():
        raise PathError(f"{path}: cannot be written: it is a folder; name a file")
    if not above.is_dir() and not (here and a_file):
        raise PathError(f"{path}: cannot be written: {above} is a file; name another place")
    if not os.access(above, os.W_OK):
        raise PathError(f"{path}: cannot be written: no right to write {above}; name another place")
    return path


def write_object(path: Path, data: bytes) -> None:
    """Puts an object into a bucket, whole or not at all, replacing what was there.

    Raises:
        PathError: the bucket does not take it.
    """
    with told(path):
        _files(path).pipe_file(str(path), data)


@contextlib.contextmanager
def local_copy(path: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """A local path itself; of a file or folder in a bucket a copy, removed at the end.

    Args:
        path: what is copied.
        patterns: of a folder only files with such names are copied.

    Raises:
        PathError: the bucket cannot be read, or there is no room for the copy.
    """
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="sage-jax-") as home:
        copy = Path(home) / path.name
        with told(path):
            _download(path, copy, patterns)
        yield copy


def _download(path: Path, copy: Path, patterns: Sequence[str]) -> None:
    files = _files(path)
    if not path.is_dir():
        files.get_file(str(path), str(copy))
        return
    copy.mkdir()
    root = PurePosixPath(str(path).removeprefix(_SCHEME))
    for found in files.find(str(path)):
        name = PurePosixPath(found).relative_to(root)
        if any(fnmatch.fnmatchcase(name.name, pattern) for pattern in patterns):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            files.get_file(found, str(copy / name))


def upload(folder: Path, target: Path, *, last: str) -> None:
    """Copies a local folder into a bucket; the file `last` there says that all others are.

    Raises:
        PathError: the bucket does not take it.
    """
    names = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    with told(target):
        for name in sorted(names, key=lambda name: (name == last, name)):
            _files(target).put_file(str(folder / name), f"{target}/{name}")


def inventory(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and checksum of every file in a folder, by its path from there.

    Of files on a disk that is their SHA-256, of objects in a bucket the CRC that it tells.

    Raises:
        OSError: a file cannot be read.
        PathError: the bucket cannot be read.
    """
    if is_remote(folder):
        with told(folder):
            return _told_inventory(folder)
    names = sorted(file for file in folder.rglob("*") if file.is_file())
    # Hashing leaves the interpreter's lock, so that threads share the work.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return {
            file.relative_to(folder).as_posix(): facts
            for file, facts in zip(names, pool.map(_facts, names), strict=True)
        }


def _facts(file: Path) -> dict[str, Any]:
    with file.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
        return {"size": data.tell(), "sha256": digest}


def _told_inventory(folder: Path) -> dict[str, dict[str, Any]]:
    root = PurePosixPath(str(folder).removeprefix(_SCHEME))
    found: Any = _files(folder).find(str(folder), detail=True)
    return {
        str(PurePosixPath(name).relative_to(root)): {
            key: facts[key] for key in ("size", "crc32c") if key in facts
        }
        for name, facts in found.items()
    }


def _files(path: Path) -> Any:
    """The file system behind a path, the one that epath itself uses."""
    from etils.epath import backend

    return backend.fsspec_backend.fs(str(path))
