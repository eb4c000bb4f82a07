"""Guides out of plain functions of arrays, which ask for what they read by name."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import jax
from jax.typing import ArrayLike

from ._arrays import Array, as_real, as_valid, keep
from .compose import DependsOn, Guide
from .terms import Terms, require

READABLE = (*(field.name for field in fields(Terms)), "step", "key")
"""Names by which a function of arrays asks for what it reads."""

_OF_THE_PREFIX = {"mask", "entropies", "ref_entropies", "rows", "step", "key"}


def reads(function: Callable[..., Any]) -> tuple[str, ...]:
    """Which of `READABLE` a function asks for by the names of its parameters."""
    return tuple(name for name in inspect.signature(function).parameters if name in READABLE)


def guide(function: Callable[..., Array], **options: Any) -> Guide:
    """A guide of a function of arrays, which gets the terms that its parameters are named after.

    `function(entropies, mask, **options)`, say, gives log q of shape [B, T], or [B, T, V] over the
    vocabulary; it may ask for `step` and `key` too. The result is masked and constant under the
    gradient; clip it by `bounded_log` inside. What it depends on is told by what it reads: the
    vocabulary with `logits` or `ref_logits`, the prefix with masks and entropies alone, else the
    token. The guide raises ValueError for terms that are missing or another shape.

    >>> def calm(entropies, *, slope):
    ...     return -slope * entropies
    >>> guide(calm, slope=0.1).name, guide(calm, slope=0.1).depends_on
    ('calm', 'prefix')
    """
    names, label = reads(function), getattr(function, "__name__", "of one's own")

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        beside = {"step": step, "key": key}
        arrays = {
            name: beside[name] if name in beside else require(terms, name, f"the guide {label}")
            for name in names
        }
        found = as_real(function(**arrays, **options))
        if found.shape[:2] != terms.mask.shape or found.ndim > 3:
            raise ValueError(
                f"the guide {label} gives shape {found.shape}; log q must be [B, T] or [B, T, V] "
                f"with [B, T] = {terms.mask.shape}"
            )
        valid = as_valid(terms.mask)
        return jax.lax.stop_gradient(keep(valid if found.ndim == 2 else valid[..., None], found))

    return Guide(log_q, label, _depends_on(names))


def _depends_on(names: tuple[str, ...]) -> DependsOn:
    if {"logits", "ref_logits"} & set(names):
        return "vocabulary"
    return "prefix" if _OF_THE_PREFIX.issuperset(names) else "token"
