"""What a run remembers of a tracker between its parts: a small file of the run folder."""

import json
import re
from pathlib import Path

from sage_jax.files import write_atomically
from sage_jax.run.run_folder import RunFolder


class Memory:
    """The run's id in a tracker, and up to which step the tracker was told.

    Args:
        folder: of the run.
        title: of the tracker.
        home: where in it the run lies; another one has a file of its own.
    """

    def __init__(self, folder: Path, title: str, home: str):
        words = re.findall(r"[a-z0-9.]+", f"{title} {home}".lower())
        self._path = RunFolder(folder).tracker_file("-".join(words)[:100])
        found = json.loads(self._path.read_text()) if self._path.is_file() else {}
        self.id: str = found.get("id", "")
        self.told: int = found.get("told", 0)

    def keep(self, *, id: str, told: int) -> None:
        """Write both down."""
        if (id, told) != (self.id, self.told):
            self.id, self.told = id, told
            text = json.dumps({"id": id, "told": told})
            write_atomically(self._path, f"{text}\n".encode())
