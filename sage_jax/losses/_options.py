"""Options of a function of arrays: what it takes beside the arrays that it is given by name."""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def check_options(
    function: Callable[..., Any], options: Mapping[str, Any], given: Iterable[str], label: str
) -> None:
    """Raise ValueError for an option that there is not, or that is missing, or an array's name."""
    parameters = inspect.signature(function).parameters
    takes = {name: one for name, one in parameters.items() if name not in given and _named(one)}
    anything = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for name in options:
        if name in given:
            raise ValueError(f"{label}: {name} is given by the trainer, and is no option")
        if name not in takes and not anything:
            has = f"it takes {', '.join(takes)}" if takes else "it takes none"
            raise ValueError(f"{label} has no option {name}{_near(name, takes)}; {has}")
    for name, one in takes.items():
        if name not in options and one.default is one.empty:
            raise ValueError(
                f"{label} needs a value for {name}: it is an option, as {name}=..., and none of "
                f"the arrays by name ({', '.join(given)})"
            )


def _named(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def _near(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" (perhaps {near[0]}?)" if near else ""
