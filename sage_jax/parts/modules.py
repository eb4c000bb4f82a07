"""Modules that parts live in: their functions, and importing the user's own."""

import difflib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
import traceback
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sage_jax.faults import ConfigError
from sage_jax.telling import brief, line


def load(name: str, *, field: str) -> types.ModuleType:
    """Import the module of the user's that a config names.

    Raises:
        ConfigError: if it is not found, with where it was looked for, or fails, with the line.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            looked = ", ".join(str(Path(entry or ".").resolve()) for entry in _folders())
            near = near_miss(error.name, _files(_folders()))
            raise ConfigError(
                f"{field}: there is no module {brief(error.name)}{near}: looked for "
                f"{error.name.replace('.', '/')}.py among what is installed and in {looked}"
            ) from None
        raise _failed(name, error, field) from error
    except Exception as error:
        raise _failed(name, error, field) from error


def _failed(name: str, error: Exception, field: str) -> ConfigError:
    if isinstance(error, SyntaxError):
        where = f" ({error.filename}, line {error.lineno})"
        return ConfigError(
            f"{field}: importing {name} fails: {type(error).__name__}: {error.msg}" + where
        )
    found = importlib.util.find_spec(name)
    where = _last_line(error, found.origin if found and found.origin else "")
    return ConfigError(f"{field}: importing {name} fails: {said(error)}{where}")


def _folders() -> list[str]:
    """The folders of the path that hold no installed packages, and no programs."""
    library = str(Path(inspect.__file__).parent)
    mine = (p or "." for p in sys.path if not p.startswith(library) and not p.endswith(".zip"))
    programs = Path(sysconfig.get_path("scripts")).resolve()
    found = (p for p in dict.fromkeys(mine) if "site-packages" not in p)
    return [p for p in found if Path(p).resolve() != programs]


def _files(folders: Iterable[str]) -> list[str]:
    """Names of the modules that lie in folders."""
    return [path.stem for folder in folders for path in Path(folder).glob("*.py")]


def look_in(folder: Path) -> None:
    """Find modules of the user's in a folder too, behind all that is installed."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def said(error: BaseException) -> str:
    """What an exception says, with its kind where it is not a refusal of an argument."""
    kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
    return kind + line(Exception(*error.args[:1]) if isinstance(error, KeyError) else error)


def place(error: BaseException, function: Callable[..., Any]) -> str:
    """The last line of the function's own file that an exception passed, in brackets."""
    try:
        file = inspect.getfile(inspect.unwrap(function))
    except TypeError:
        return ""
    return _last_line(error, file)


def _last_line(error: BaseException, file: str) -> str:
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return f" ({file}, line {lines[-1]})" if lines else ""


def functions(module: types.ModuleType) -> list[str]:
    """Public functions and classes that a module itself defines."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]


def near_miss(name: str, names: Iterable[str], which: str = "") -> str:
    """What was perhaps meant, in brackets, and what is so of it."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" (perhaps {', '.join([near[0], which] if which else near)}?)" if near else ""
