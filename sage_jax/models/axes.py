"""Logical names for the axes of every parameter; which mesh axis each maps to is not ours."""

from __future__ import annotations

from typing import Any

import jax

from sage_jax.models.cache import KVCache

Axes = tuple[str | None, ...]

# (in, out) of each projection; "heads" and "kv_heads" are heads times head width, flattened.
_PROJECTIONS: dict[str, tuple[str, str]] = {
    "q_proj": ("embed", "heads"),
    "k_proj": ("embed", "kv_heads"),
    "v_proj": ("embed", "kv_heads"),
    "o_proj": ("heads", "embed"),
    "gate_proj": ("embed", "mlp"),
    "up_proj": ("embed", "mlp"),
    "down_proj": ("mlp", "embed"),
    "lm_head": ("embed", "vocab"),
}


def logical_axes(tree: Any) -> Any:
    """The same tree with a tuple of axis names, one a dimension, in place of every array.

    Names: "layers", "vocab", "embed", "heads", "kv_heads", "mlp", "lora", and for a cache also
    "batch", "kv_length", "head_dim"; None for an axis that is never split. Map over the result
    with `is_leaf=lambda x: isinstance(x, tuple)`.

    Args:
        tree: A State of params, of adapters (arrays or abstract), or a `KVCache`.

    Raises:
        ValueError: A path is none of this package's parameters.
    """
    if isinstance(tree, KVCache):
        return _cache_axes()
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: axes_of(tuple(str(_name(key)) for key in path)), tree
    )


def axes_of(path: tuple[Any, ...]) -> Axes:
    """The axis names of the parameter at `path`.

    >>> axes_of(("layers", "mlp", "down_proj", "kernel"))
    ('layers', 'mlp', 'embed')
    """
    path = tuple(name for name in path if name != "value")
    stacked: Axes = ("layers",) if path[0] == "layers" else ()
    if path == ("embed_tokens",):
        return ("vocab", "embed")
    owner, kind = path[-2:]
    if kind == "scale":
        return (*stacked, None)
    if owner not in _PROJECTIONS:
        raise ValueError(f"{'.'.join(path)} is no parameter of a transformer of this package")
    inner, outer = _PROJECTIONS[owner]
    forms: dict[str, Axes] = {
        "kernel": (inner, outer),
        "bias": (outer,),
        "lora_a": (inner, "lora"),
        "lora_b": ("lora", outer),
    }
    return (*stacked, *forms[kind])


def _cache_axes() -> Any:
    heads = ("layers", "batch", "kv_heads")
    keys, values = (*heads, "head_dim", "kv_length"), (*heads, "kv_length", "head_dim")
    axes: Any = {"keys": keys, "values": values, "valid": ("batch", "kv_length"), "index": ()}
    return KVCache(**axes)


def _name(key: Any) -> Any:
    return getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))
