"""What fuzzing changes: values of any kind, texts and bytes cut, repeated and overwritten."""

import copy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Surrogates and control characters too: JSON and YAML both have escapes for them.
any_text = st.one_of(st.text(max_size=12), st.text(st.characters(), max_size=6))
HUGE = [2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 1e308, 5e-324]
ODD = ["", " ", "\n", "\x00", "\ud800", "../..", "nan", "-1", "1e999", "null", "x" * 300]

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 300), st.sampled_from(HUGE), st.floats(),
    any_text, st.sampled_from(ODD),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(any_text | st.sampled_from(["a", "seed", "loss"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def fuzzed(examples: int) -> settings:
    """The same examples on every machine, without a clock."""
    return settings(
        max_examples=examples, derandomize=True, deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip


def places(tree: Any, here: tuple = ()) -> list[tuple]:
    """The way to every value inside a tree of dicts and lists."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found = []
    for key, value in pairs:
        found.append((*here, key))
        if isinstance(value, dict | list):
            found += places(value, (*here, key))
    return found


@st.composite
def changed(draw: st.DrawFn, tree: Any) -> Any:
    """A copy of a tree with up to three values replaced, removed, wrapped or added."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        found = places(tree)
        if not found:
            break
        *way, last = draw(st.sampled_from(found))
        owner = tree
        for key in way:
            owner = owner[key]
        _change(draw, owner, last)
    return tree


def _change(draw: st.DrawFn, owner: Any, key: Any) -> None:
    match draw(st.sampled_from(["replace", "replace", "remove", "wrap", "add"])):
        case "replace":
            owner[key] = draw(values)
        case "remove":
            del owner[key]
        case "wrap":
            owner[key] = [owner[key]]
        case "add" if isinstance(owner, dict):
            owner[draw(any_text)] = draw(values)
        case "add":
            owner.append(draw(values))


@st.composite
def spoilt(draw: st.DrawFn, whole: Any, pieces: tuple) -> Any:
    """Text or bytes with up to four parts cut out, doubled, or overwritten by one of `pieces`."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(whole)))
        end = min(len(whole), start + draw(st.sampled_from([0, 1, 1, 2, 4, 8, 40])))
        match draw(st.sampled_from(["put", "put", "cut", "double", "end"])):
            case "put":
                whole = whole[:start] + draw(st.sampled_from(pieces)) + whole[end:]
            case "cut":
                whole = whole[:start] + whole[end:]
            case "double":
                whole = whole[:end] + whole[start:end] + whole[end:]
            case "end":
                whole = whole[:start] if draw(st.booleans()) else whole
    return whole
