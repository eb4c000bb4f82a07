"""One owner of a run folder: two trainings in it would write over each other."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from sage_jax import paths
from sage_jax.files import ResultError, read_json_lines, write_atomically
from sage_jax.parallel import hosts
from sage_jax.telling import UserError

_LOCK, _OWNER = ".lock", ".owner.json"


class LockError(UserError, RuntimeError):
    """A run folder that another training owns."""


@contextlib.contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Own a folder; of several processes the first does it for all.

    The operating system lets go of the lock when its holder ends, however that comes about. A
    folder in a bucket cannot be locked.

    Raises:
        LockError: another process trains there, which is named.
        OSError: the folder cannot be written.
    """
    with contextlib.ExitStack() as held:
        mine = hosts.is_main() and not paths.is_remote(folder)
        refused = hosts.agree(_take(folder, held) if mine else None)
        if refused:
            raise LockError(refused)
        yield


def _take(folder: Path, held: contextlib.ExitStack) -> str | None:
    """Why it cannot be had, or None when it is."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        held.enter_context(lock)
    except Timeout:
        return f"{folder}: {_owner(folder)} trains in this folder; wait for it or take another one"
    # Last in, first out: the folder is tidied while the lock still keeps others away.
    held.callback(_tidy, folder)
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    told = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    write_atomically(folder / _OWNER, json.dumps(told).encode() + b"\n")
    return None


def _owner(folder: Path) -> str:
    try:
        told = read_json_lines(folder / _OWNER)[0][1]
        return f"process {told['pid']} on {told['host']} (since {told['since']})"
    except (OSError, ResultError, IndexError, KeyError):  # It has only just begun.
        return "another process"


def _tidy(folder: Path) -> None:
    """Forget the owner; a run that never began leaves no folder either."""
    with contextlib.suppress(OSError):
        (folder / _OWNER).unlink(missing_ok=True)
        if [path.name for path in folder.iterdir()] == [_LOCK]:
            (folder / _LOCK).unlink()
            folder.rmdir()
