"""What a checkpoint is made of, so that a damaged one is told from a whole one.

The manifest lies inside the checkpoint and is written before the checkpoint gets its name, so that
one that is there has it. Files on a disk are held by size and SHA-256, objects in a bucket by size
and the CRC that the bucket itself keeps of them, which costs no download.
"""

import json
from pathlib import Path

from sage_jax import paths
from sage_jax.files import write_atomically

NAME = "sage_manifest.json"
# Orbax writes these two at the very end, after the manifest; without the second the checkpoint is
# not there at all.
_LATER = ("_CHECKPOINT_METADATA", "commit_success.txt")


def write(folder: Path) -> None:
    """Put down what the files in a folder are.

    Raises:
        OSError: the folder cannot be read or written.
        PathError: the same of a folder in a bucket.
    """
    text = json.dumps({"files": _files(folder)}, indent=1)
    write_atomically(folder / NAME, text.encode())


def fault(folder: Path) -> str | None:
    """The first thing that is not as the manifest says, in words; None of a whole folder."""
    try:
        held = json.loads((folder / NAME).read_bytes())["files"]
        found = _files(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{NAME} or a file cannot be read: {error}"
    for name, facts in held.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != facts:
            return f"{name} has changed since it was written"
    return None


def _files(folder: Path) -> dict[str, dict]:
    return {
        name: facts
        for name, facts in paths.inventory(folder).items()
        if name not in (*_LATER, NAME)
    }
