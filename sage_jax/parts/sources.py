"""Files that a module of the user's is made of, for digests of a run."""

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path


def sources(modules: Iterable[str]) -> dict[str, Path]:
    """The files of modules and of what they import from beside them, by name below their folder.

    Imports are read and not run. Of an installed package only its own files count; data that a
    module opens counts for nothing.
    """
    found: dict[str, Path] = {}
    for module in modules:
        top = module.partition(".")[0]
        root = _root(top)
        if root is not None:
            own = top if root.name in ("site-packages", "dist-packages") else ""
            _walk(module, root, own, found)
    return dict(sorted(found.items()))


def _root(top: str) -> Path | None:
    spec = importlib.util.find_spec(top)
    place = spec.origin or next(iter(spec.submodule_search_locations or ()), None) if spec else None
    if place is None:
        return None
    path = Path(place)
    return path.parent.parent if path.name == "__init__.py" else path.parent


def _walk(module: str, root: Path, own: str, found: dict[str, Path]) -> None:
    for path in _files(module, root):
        name = path.relative_to(root).as_posix()
        if name not in found:
            found[name] = path
            for imported in _imports(path, root):
                if not own or imported.partition(".")[0] == own:
                    _walk(imported, root, own, found)


def _files(module: str, root: Path) -> Iterator[Path]:
    """The file of a module, and those of the packages that it lies in."""
    names = module.split(".")
    for depth in range(1, len(names) + 1):
        place = root.joinpath(*names[:depth])
        yield from (p for p in (place / "__init__.py", place.with_suffix(".py")) if p.is_file())


def _imports(path: Path, root: Path) -> Iterator[str]:
    """Names of modules that a file may import."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = path.relative_to(root).parts[: -node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)
