"""Rules of advantages, which ask for what they read by the names of their parameters."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax

from sage_jax.losses.advantages import group
from sage_jax.telling import OneLine, brief

Advantages = Callable[..., jax.Array]
"""rewards or advantages [B] and what else it asks for -> advantages [B]; see `OFFERED`."""

OFFERED = ("rewards", "terms", "group_size", "step", "key")
"""What a rule may ask for by name, beside its first argument, the rewards or what another rule made
of them. `terms` hold how completions came out: `rewards` as they were given, `right`, `modes`."""

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
                f"advantages: {_name(rule)} asks for {one.name!r}; beside its first argument there "
                f"are {', '.join(OFFERED)}"
            )


def refuse_deviation_of_kl(rules: Sequence[Advantages]) -> None:
    """Raise ValueError for `group` among the rules of rewards that a KL is taken off.

    Where rewards are equal the KL alone is left, and divided by its own deviation it has full size
    whatever its coefficient is.
    """
    if any(getattr(rule, "func", rule) is group for rule in rules):
        raise OneLine(
            "the loss has its KL in the reward, and advantages.group divides by the deviation in "
            "each group, which where rewards are equal is the KL's own: take advantages.rloo, "
            "advantages.none or advantages.batch"
        )


def follow(rule: Advantages, values: jax.Array, **offered: Any) -> jax.Array:
    """The advantages [B] of rewards [B] by a rule, which gets what it asks for of `OFFERED`."""
    bound = rule.keywords if isinstance(rule, functools.partial) else {}
    _, *asked = inspect.signature(rule).parameters
    wanted = {*asked} - bound.keys()
    return rule(values, **{name: value for name, value in offered.items() if name in wanted})


def _name(rule: Any) -> str:
    return getattr(rule, "__name__", None) or brief(rule)
