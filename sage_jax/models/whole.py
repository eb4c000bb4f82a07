"""A folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from sage_jax.models.errors import ModelError
from sage_jax.models.safetensors_file import ADAPTER_CONFIG, CONFIG, MODEL_FILES
from sage_jax.paths import as_path, is_remote, told, upload

# Of one of these an upload says that all else is there.
_LAST = (CONFIG, ADAPTER_CONFIG)
_FILES = (*MODEL_FILES, "README.md")


@contextlib.contextmanager
def written_whole(folder: str | Path, *, last: str = CONFIG) -> Iterator[Path]:
    """A folder to write a model into, which lies at its place once the body is through.

    What the body raises leaves nothing behind.

    Args:
        folder: Where; must not exist yet, or be empty.
        last: In a bucket, the file that appears last and says that all of it is there.

    Raises:
        ModelError: The folder holds something already.
        PathError: The bucket cannot be written.
    """
    target = as_path(folder)
    refuse_filled(target)
    if is_remote(target):
        with tempfile.TemporaryDirectory(prefix="sage-jax-") as home:
            local = Path(home) / target.name
            local.mkdir()
            yield local
            upload(local, target, last=last)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield temporary
        # mkdtemp makes folders that only their owner may read.
        temporary.chmod(0o777 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def refuse_filled(folder: str | Path) -> None:
    """Refuse a folder that holds something, other than what an upload that was cut off left there.

    Raises:
        ModelError: It does.
        PathError: The bucket cannot be read.
    """
    target = as_path(folder)
    if _is_filled(target):
        raise ModelError(f"{target} exists and is not empty; choose another folder or remove it")


def _is_filled(target: Path) -> bool:
    if not is_remote(target):
        return target.exists() and (not target.is_dir() or any(target.iterdir()))
    # An upload that was cut off left parts of a model without its config: those are written over.
    with told(target):
        names = [entry.name for entry in target.iterdir()] if target.exists() else []
    parts = [name for name in names if any(fnmatchcase(name, form) for form in _FILES)]
    return any(name in names for name in _LAST) or len(parts) < len(names)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
