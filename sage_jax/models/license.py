"""What a model says of its own licence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sage_jax import yaml_text
from sage_jax.models.errors import ModelError
from sage_jax.models.gguf_file import header
from sage_jax.models.load import is_hub_id, locate
from sage_jax.paths import PathError


def license_of(source: str) -> str | None:
    """The licence by the hub's short name, such as `apache-2.0`; None where nothing says it.

    Read of the card (README.md) beside the weights, or of a GGUF header; nothing is downloaded.

    Args:
        source: As `load` takes it.
    """
    try:
        if is_hub_id(source):
            return _of_card(_cached_card(source))
        path = locate(source)
        found = header(path, "general.license") if path.suffix == ".gguf" else None
        return found if isinstance(found, str) else _of_card(path / "README.md")
    except (ModelError, PathError, OSError, ValueError):
        return None  # A card that cannot be read is no reason to keep the weights back.


def _cached_card(source: str) -> Path:
    import huggingface_hub

    found = huggingface_hub.try_to_load_from_cache(source, "README.md")
    return Path(found if isinstance(found, str) else "")


def _of_card(path: Path) -> str | None:
    """The field of the YAML at the head of a card."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    mark, _, rest = text.partition("---\n")
    fields: Any = yaml_text.read(rest.partition("\n---")[0]) if not mark and rest else None
    found = fields.get("license") if isinstance(fields, dict) else None
    return found if isinstance(found, str) else None
