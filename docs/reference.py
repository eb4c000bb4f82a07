"""The pages that are made of the code: every part, every field of a config, the API."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic

from sage_jax import __all__ as front
from sage_jax import parts
from sage_jax.config import Config
from sage_jax.config.sections import Section
from sage_jax.parts.arguments import shown
from sage_jax.parts.listing import ROOMS

LOSSES = (
    "anchors", "advantages", "compose", "count_tables", "gates", "guides", "kl", "objectives",
    "policy", "recipes", "reduce", "schedules", "surrogates", "terms", "weights",
)  # fmt: skip


def write(folder: Path) -> None:
    """Write the pages into a folder."""
    folder.mkdir(exist_ok=True)
    pages = {"parts": _parts(), "config": _config(), "front": _front(), "losses": _losses()}
    for name, lines in pages.items():
        (folder / f"{name}.md").write_text("\n".join(lines) + "\n")


def _parts() -> Iterator[str]:
    yield "# Every part"
    yield "\nWhat a config can name, with defaults, as `sage-jax parts` prints it.\n"
    for room in ROOMS:
        yield f"## {room.kind}\n\n`{room.field}` of a config.\n"
        for name in room.names():
            yield f"### `{name}`\n\n```text\n{parts.listing(room.kind, name)}```\n"


def _config() -> Iterator[str]:
    yield "# Every field of a config"
    yield "\nOn the command line `--section.field value`. What has no default must be given.\n"
    yield from _fields("The run", Config)
    for name, section in _sections(Config):
        yield from _fields(f"`{name}`", section)


def _sections(of: type[pydantic.BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in of.model_fields.items():
        if _is_section(field.annotation):
            yield f"{prefix}{name}", field.annotation
            yield from _sections(field.annotation, f"{prefix}{name}.")


def _is_section(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, Section)


def _fields(title: str, section: type[pydantic.BaseModel]) -> Iterator[str]:
    yield f"## {title}\n\n{inspect.cleandoc(section.__doc__ or '').splitlines()[0]}\n"
    yield "| field | type | default | meaning |\n| --- | --- | --- | --- |"
    for name, field in section.model_fields.items():
        if not _is_section(field.annotation):
            said = " ".join((field.description or "").split())
            cells = (f"`{name}`", f"`{shown(field.annotation)}`", _default(field), said)
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _default(field: pydantic.fields.FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    return f"`{value.use if hasattr(value, 'use') else value}`"


def _front() -> Iterator[str]:
    yield "# `import sage_jax as sj`"
    yield "\n```{eval-rst}"
    sj = importlib.import_module("sage_jax")
    for name in front:
        if not inspect.ismodule(one := getattr(sj, name)):
            kind = "class" if inspect.isclass(one) else "function"
            yield f".. auto{kind}:: {one.__module__}.{one.__qualname__}"
            yield "   :members:\n" if kind == "class" else ""
    yield "```"


def _losses() -> Iterator[str]:
    yield "# `sage_jax.losses`\n"
    for name in LOSSES:
        module = importlib.import_module(f"sage_jax.losses.{name}")
        yield f"## `{name}`\n\n{(module.__doc__ or '').splitlines()[0]}\n\n```{{eval-rst}}"
        for one in _public(module):
            yield f".. autofunction:: {module.__name__}.{one}\n"
        yield "```\n"


def _public(module: Any) -> list[str]:
    """Functions of a module, or of a package's modules, that have a docstring."""
    own = [
        name
        for name, one in vars(module).items()
        if not name.startswith("_") and inspect.isfunction(one) and one.__doc__
    ]
    return [name for name in own if getattr(module, name).__module__.startswith(module.__name__)]
