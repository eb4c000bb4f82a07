"""YAML as this project reads it: plain data, every key once, and nothing that grows."""

import re
from typing import Any

import yaml

from sage_jax.telling import brief, line, printable


class YamlError(ValueError):
    """Text that is not YAML, in one line that names the place."""


def read(text: str) -> Any:
    """The one document in a text, of mappings, lists and scalars.

    Raises:
        YamlError: the text is not YAML, a key is given twice, a tag names anything but plain data,
            or aliases make it grow beyond bounds.

    >>> read("rate: 5e-6")
    {'rate': 5e-06}
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise YamlError(_told(error)) from None
    except yaml.YAMLError as error:
        raise YamlError(line(error)) from None
    except RecursionError:
        raise YamlError("nested too deeply") from None


def write(data: dict[str, Any]) -> str:
    """A mapping of plain data as YAML; `read` gives it back.

    >>> write({"name": "1e5"})
    "name: '1e5'\\n"
    """
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def write_line(data: dict[str, Any]) -> str:
    """A mapping of plain data as YAML of one line; `read` gives it back.

    >>> write_line({"use": "branch", "ratio": 0.2})
    '{use: branch, ratio: 0.2}'
    """
    text = yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000,
        default_flow_style=True,
    )
    return text.strip()


def _told(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    parts = [part for part in (error.context, error.problem) if part]
    return place + printable(" ".join(parts))[:300]


_MOST_NODES = 200_000  # In a file, with everything that its aliases stand for.


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_OTHER_BASE = re.compile(r"[-+]?([\d_]+(:[\d_.]+)+|0[\d_]+)")


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, but `5e-6` is a number and a repeated key is an error.

    Numbers that 1.1 counts to another base, by a colon or a leading zero, are refused, since 1.2
    does not. So is a file whose aliases make it grow beyond bounds, before anything is built of it.
    """

    def get_single_node(self):
        node = super().get_single_node()
        _size(node, {})
        return node

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key in _keys(node):
            if key.value in seen:
                raise _refused(f"the key {brief(key.value)} is given twice", node)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node, deep=False):
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            # PyYAML looks at the form of a number or date, and leaves the rest to Python.
            kind = node.tag.rpartition(":")[2]
            raise _refused(f"{brief(node.value)} cannot be read as {kind}", node) from None
        if node.tag in _NUMBERS and _OTHER_BASE.fullmatch(node.value):
            told = f"{node.value} may mean {value} or not, by YAML's version"
            raise _refused(f"{told}; write a plain number, or text in quotes", node)
        return value


def _keys(node: yaml.Node) -> list[yaml.ScalarNode]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [key for key, _ in pairs if isinstance(key, yaml.ScalarNode)]


def _size(node: yaml.Node | None, sizes: dict[int, int]) -> int:
    """Nodes below and with this one, each counted wherever an alias repeats it."""
    if id(node) not in sizes:
        sizes[id(node)] = _MOST_NODES + 1  # Found again below itself, it has no end.
        sizes[id(node)] = 1 + sum(_size(child, sizes) for child in _children(node))
    if node is not None and sizes[id(node)] > _MOST_NODES:
        raise _refused(f"aliases make of it more than {_MOST_NODES} values", node)
    return sizes[id(node)]


def _children(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _refused(why: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, why, node.start_mark)


class _Dumper(yaml.SafeDumper):
    """PyYAML's, but what `_Loader` would take for a number is quoted."""


for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$"),
        list("-+.0123456789"),
    )
