"""Rules of advantages, which ask for what they read by the names of their parameters."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax

from sage_jax.telling import OneLine, brief

Advantages = Callable[..., jax.Array]
"""rewards [B] and what else it asks for -> advantages [B]; see `OFFERED`."""

OFFERED = ("terms", "group_size", "step", "key")
"""What a rule may ask for by name, beside its first argument, the rewards."""

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def refuse_unfit(rule: Advantages) -> None:
    """Raise ValueError for a rule that takes no rewards, or asks for what nobody gives it."""
    if not callable(rule):
        raise OneLine(f"advantages is {brief(rule)}; it must be a function, as advantages.rloo")
    parameters = list(inspect.signature(rule).parameters.values())
    if not parameters or parameters[0].kind not in (*_POSITIONAL, inspect.Parameter.VAR_POSITIONAL):
        raise OneLine(f"advantages: {_name(rule)} takes no rewards; they are its first argument")
    for one in parameters[1:]:
        if one.default is one.empty and one.kind not in _REST and one.name not in OFFERED:
            raise OneLine(
                f"advantages: {_name(rule)} asks for {one.name!r}; beside rewards there are "
                f"{', '.join(OFFERED)}"
            )


def follow(rule: Advantages, rewards: jax.Array, **offered: Any) -> jax.Array:
    """The advantages [B] of rewards [B] by a rule, which gets what it asks for of `OFFERED`."""
    bound = rule.keywords if isinstance(rule, functools.partial) else {}
    asked = inspect.signature(rule).parameters.keys() - bound.keys()
    return rule(rewards, **{name: value for name, value in offered.items() if name in asked})


def _name(rule: Any) -> str:
    return getattr(rule, "__name__", None) or brief(rule)
