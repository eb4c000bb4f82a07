"""Configs out of YAML and of nested dicts, and back."""

from pathlib import Path
from typing import Any

import pydantic

from sage_jax import yaml_text
from sage_jax.config.sections import Config
from sage_jax.config.shipped_configs import shipped_names
from sage_jax.faults import ConfigError, as_json, culprit, explain
from sage_jax.paths import as_path
from sage_jax.telling import line


def parse(data: Any, *, origin: str = "config") -> Config:
    """Check a nested dict and make a `Config` of it.

    Raises:
        ConfigError: one line with all faults, naming the field and the value of each.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{origin}: a config is a mapping of sections, not {type(data).__name__}")
    try:
        # Through JSON, because pydantic's strict mode takes JSON lists for tuples and ints for
        # floats, but still refuses "3" for 3.
        return Config.model_validate_json(as_json(data))
    except pydantic.ValidationError as error:
        raise ConfigError(f"{origin}: {explain(error)}") from None
    except (TypeError, ValueError, RecursionError) as error:
        said = f"{culprit(data)}a value that is neither text nor finite number: {line(error)}"
        if "type date " in said:
            said += "; text that YAML takes for a date needs quotes"
        raise ConfigError(f"{origin}: {said}") from None


def load(path: str | Path) -> Config:
    """Read a YAML file.

    Raises:
        ConfigError: if the file is missing, is not YAML, or is not a valid config.
        PathError: if it lies where nothing can be read.
    """
    path = as_path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        named = "" if path.suffix else f"; by name there are {', '.join(shipped_names())}"
        raise ConfigError(f"{path}: cannot be read: {line(error)}{named}") from None
    try:
        return parse(yaml_text.read(text), origin=str(path))
    except yaml_text.YamlError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None


def dump(config: Config) -> str:
    """The config as YAML; `load` gives it back."""
    return yaml_text.write(config.model_dump(mode="json"))


def override(config: Config, changes: dict[str, Any], *, origin: str = "override") -> Config:
    """The config with nested `changes` merged in, checked again as a whole."""
    return parse(merge(config.model_dump(mode="json"), changes), origin=origin)


def merge(base: Any, changes: Any) -> Any:
    """Nested dicts laid over one another; anything else is replaced.

    A part takes further arguments, and begins anew where another one is named; where several may
    stand it is the first of them.

    >>> merge({"guide": "token"}, {"guide": {"alpha": 0.2}})
    {'guide': {'use': 'token', 'alpha': 0.2}}
    >>> merge({"guide": {"use": "token", "alpha": 0.2}}, {"guide": {"use": "branch"}})
    {'guide': {'use': 'branch'}}
    """
    if isinstance(base, list) and isinstance(changes, dict) and changes.keys() <= _places(base):
        return [merge(one, changes.get(str(place), {})) for place, one in enumerate(base)]
    if _is_part(base) and isinstance(changes, dict) and changes.keys() == {"0"}:
        return merge([base], changes)
    if isinstance(base, str) and isinstance(changes, dict):
        base = {"use": base}
    if not (isinstance(base, dict) and isinstance(changes, dict)) or isinstance(
        changes.get("use"), str
    ):
        return changes
    return base | {key: merge(base.get(key), value) for key, value in changes.items()}


def _is_part(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and "use" in value)


def _places(values: list[Any]) -> set[str]:
    return {str(place) for place in range(len(values))}
