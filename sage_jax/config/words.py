"""Parts on the command line: one word, or YAML of one line."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import tyro

from sage_jax import yaml_text
from sage_jax.faults import ConfigError, renamed
from sage_jax.parts import ListenerSpec, RewardSpec, SourceSpec, Spec, SuiteSpec

if TYPE_CHECKING:
    from sage_jax.config.sections import Config


def by_word(kind: type[Spec]) -> Any:
    """How a field that names a part is read from one argument."""
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="NAME|{use: NAME, ...}",
        instance_from_str=lambda words: kind.model_validate(_read(words[0])),
        is_instance=lambda value: isinstance(value, kind),
        str_from_instance=lambda spec: [_written(spec)],
    )


def part_arguments(words: Sequence[str], config: "Config") -> tuple[list[str], dict[str, Any]]:
    """Take parts and their arguments out of a command line: `--guide.alpha 0.2`, as in YAML.

    Args:
        words: of the command line.
        config: with the parts that they are for, unless a word before names another.

    Returns:
        The other words, and the changes to the config as nested dicts.

    Raises:
        ConfigError: if a value is missing, is not YAML, or is of a field that has another name.
    """
    fields = {field: type(spec) for field, spec, _ in config.parts}
    rest, changes = [], {}
    for option, own in _options(words):
        word, equals, value = own[0].partition("=")
        path = option.split(".")
        if renamed(option):
            raise ConfigError(f"--{option}: {renamed(option)}")
        if option in _LISTS:
            given = [value] if equals else [own.pop(1) for _ in own[1:]]
            _put(changes, path, [*map(_read, given)])
            fields = {
                name: kind for name, kind in fields.items() if not name.startswith(f"{option}.")
            }
            fields |= {f"{option}.{place}": _LISTS[option] for place in range(len(given))}
        elif option in fields and (equals or len(own) > 1):
            _put(changes, path, _read(value if equals else own.pop(1)))
        elif ".".join(path[:-1]) in fields:
            if not equals and len(own) < 2:
                raise ConfigError(f"{word}: a value must follow")
            text, kind = value if equals else own.pop(1), fields[".".join(path[:-1])]
            _put(changes, path, text if _is_text(kind, path[-1]) else _yaml(word, text))
        else:
            rest += own
            continue
        rest += own[1:]
    return rest, changes


_LISTS: dict[str, type[Spec]] = {
    "reward": RewardSpec,
    "listeners": ListenerSpec,
    "loss.kl_gates": Spec,
    "loss.advantage": Spec,
    "eval.suites": SuiteSpec,
    "task.repairs": Spec,
    "task.of": SourceSpec,
}
"""Fields that name several parts, one a word."""


def _options(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each option's name, empty for what comes before any, and its words up to the next one."""
    begins = [place for place, word in enumerate(words) if word.startswith("--")]
    for start, end in itertools.pairwise([*({0} - {*begins[:1]}), *begins, len(words)]):
        own = list(words[start:end])
        if own:
            yield own[0].partition("=")[0].removeprefix("--"), own


def _is_text(kind: type[Spec], name: str) -> bool:
    """Whether a field beside a part's arguments is text, which is taken as it is."""
    return name in kind.model_fields and kind.model_fields[name].annotation is str


def _yaml(word: str, text: str) -> Any:
    try:
        return yaml_text.read(text)
    except yaml_text.YamlError as error:
        raise ConfigError(f"{word}: {error}") from None


def _put(changes: Any, path: list[str], value: Any) -> None:
    *above, last = path
    for name in above:
        changes = _below(changes, name)
    changes[int(last) if isinstance(changes, list) else last] = value


def _below(changes: Any, name: str) -> Any:
    """What lies in a field; a part that is named by a word becomes a mapping."""
    place: Any = int(name) if isinstance(changes, list) else name
    found = changes[place] if isinstance(changes, list) else changes.get(name, {})
    changes[place] = found if isinstance(found, dict | list) else {"use": found}
    return changes[place]


def _read(word: str) -> Any:
    return _yaml("a part", word) if word.lstrip().startswith("{") else word


def _written(spec: Spec) -> str:
    value = spec.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, dict) and value.keys() == {"use"}:
        value = value["use"]
    return value if isinstance(value, str) else yaml_text.write_line(value)
