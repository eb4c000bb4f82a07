"""What a tracker is asked for."""

import dataclasses
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True)
class Opening:
    """A run as a tracker is told of it first.

    Attributes:
        name: of the run.
        config: of the run, nested, without what could be a key.
        folder: of the run.
        id: that `open` gave before, in an earlier part of the run; empty where there was none.
    """

    name: str
    config: Mapping[str, Any]
    folder: Path
    id: str


class Tracker(Protocol):
    """A library that shows runs. All is called on one thread; whatever it raises is told once.

    Attributes:
        title: its name in messages.
        home: where in it the run lies (project, address), by which a run in it is known again.
    """

    title: str
    home: str

    def open(self, run: Opening) -> str:
        """Begin a run, or go on with one; gives its id. Called again until it works."""
        ...

    def rewind(self, step: int) -> bool:
        """Forget what was told of later steps, and say whether that is done."""
        ...

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of a step, finite ones."""
        ...

    def table(self, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Completions of a step; every row has the same columns."""
        ...

    def files(self, paths: Sequence[Path]) -> None:
        """Files of the run, at its end."""
        ...

    def close(self, *, failed: bool) -> None:
        """End it for now."""
        ...


def require(module: str, package: str) -> None:
    """Refuse a tracker whose library is not installed; nothing is imported.

    Raises:
        ValueError: if it is not.
    """
    if not is_installed(module):
        raise ValueError(
            f"the package {package} is not installed: pip install 'sage_jax[tracking]'"
        )


def is_installed(module: str) -> bool:
    """Whether a module can be imported."""
    return importlib.util.find_spec(module) is not None


def load(module: str) -> Any:
    """The library, imported where it is first used."""
    return importlib.import_module(module)
