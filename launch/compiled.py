"""The programs that tests compile, kept for the user: shared by checkouts and by runs of the suite.

    python compiled.py open          prints a new folder that holds every program kept so far
    python compiled.py close FOLDER  keeps what was compiled there, and removes it

JAX writes a program in place. So each run has a folder of its own, of hard links, and only what
proves whole is kept: what a crash cuts short is gone with the folder it lies in.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import time
import zlib
from pathlib import Path

MOST_BYTES = 3_000_000_000
ABANDONED_S = 24 * 3600.0
_SUFFIX = "-cache"


def home() -> Path:
    """The user's folder of compiled programs."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "sage-jax" / "compiled"


def open_run(kept: Path) -> Path:
    """A new folder for one run, with all programs that are kept."""
    runs = kept / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for left in runs.iterdir():
        if time.time() - left.stat().st_mtime > ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=runs))
    for program in kept.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # Another run has just forgotten it.
            os.link(program, folder / program.name)
    return folder


def close_run(folder: Path, kept: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Keep the whole programs of a run, forget the longest unused ones, remove the folder."""
    for program in folder.glob(f"*{_SUFFIX}"):
        if not (kept / program.name).exists() and is_whole(program):
            # A rename, so that none is seen before it is there, and none is written twice.
            program.rename(kept / program.name)
    shutil.rmtree(folder, ignore_errors=True)
    forget(kept, most_bytes)


def is_whole(program: Path) -> bool:
    """Whether a program is compressed to its end, check sum and all."""
    data = program.read_bytes()
    try:
        if data.startswith(b"\x28\xb5\x2f\xfd"):  # Zstandard, which JAX takes where it is there.
            import zstandard

            zstandard.decompress(data)
        else:
            zlib.decompress(data)
    except Exception:  # Of either library, or of the import: not known to be whole.
        return False
    return True


def forget(kept: Path, most_bytes: int) -> None:
    """Remove the programs that were read or written longest ago, down to a size."""
    files = [(path, path.stat()) for path in kept.glob(f"*{_SUFFIX}")]
    files.sort(key=lambda file: max(file[1].st_atime, file[1].st_mtime), reverse=True)
    total = 0
    for path, facts in files:
        total += facts.st_size
        if total > most_bytes:
            path.unlink(missing_ok=True)


def main(arguments: list[str]) -> None:
    """Run one command."""
    match arguments:
        case ["open"]:
            sys.stdout.write(f"{open_run(home())}\n")
        case ["close", folder]:
            close_run(Path(folder), home())
        case _:
            sys.exit("usage: compiled.py open | close FOLDER")


if __name__ == "__main__":
    main(sys.argv[1:])
