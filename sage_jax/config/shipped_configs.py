"""The configs that come with the project, by name."""

import sysconfig
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2] / "configs"
_FOLDERS = ("share", "sage_jax", "configs")  # As pyproject.toml installs them.


def shipped(name: str) -> Path | None:
    """The file of a config that comes with the project; None if there is none of this name.

    Args:
        name: as in the file, without its ending: "quickstart".
    """
    return {path.stem: path for path in _all()}.get(name)


def shipped_names() -> list[str]:
    """The names of all of them."""
    return [path.stem for path in _all()]


def _all() -> list[Path]:
    """The checkout's files, or in an installation those that came with the wheel."""
    installed = Path(sysconfig.get_path("data"), *_FOLDERS)
    return sorted((_CHECKOUT if _CHECKOUT.is_dir() else installed).glob("*.yaml"))
