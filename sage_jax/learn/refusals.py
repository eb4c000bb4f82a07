"""What a user hands a learner, refused at once where it does not fit: one line that says why."""

from collections.abc import Mapping, Set
from typing import Any

import jax
import numpy as np

from sage_jax.data.rates import is_rate
from sage_jax.rewards.values import with_word
from sage_jax.telling import OneLine, brief

_NEEDED = "a finite number for each completion is needed"


def finite_rewards(rewards: Any, count: int) -> np.ndarray:
    """The rewards of `count` completions, float32[count].

    Args:
        rewards: a list or an array of numbers, or of (number, reason).
        count: B.

    Raises:
        ValueError: if they are fewer or more, or one is no finite number.

    >>> finite_rewards([1, (0.5, "too long"), True], 3)
    array([1. , 0.5, 1. ], dtype=float32)
    """
    plain: Any = getattr(rewards, "tolist", None)  # Of arrays, whatever library they are of.
    listed: Any = plain() if callable(plain) else rewards
    if isinstance(listed, str | bytes | Mapping | Set) or not hasattr(listed, "__getitem__"):
        raise OneLine(f"rewards is {brief(rewards)}; {_NEEDED}")
    if len(listed) != count:
        raise OneLine(f"{len(listed)} rewards for {count} completions")
    return np.array([_finite(i, value) for i, value in enumerate(listed)], np.float32)


def _finite(i: int, value: Any) -> float:
    try:
        return with_word(value)[0]
    except ValueError:
        raise OneLine(f"rewards[{i}] is {brief(value)}; {_NEEDED}") from None


OUTCOME = {"right": np.float32, "modes": np.int32, "base_pass_rate": np.float32}
"""What may be told of completions beside their rewards; see `losses.Terms`."""


def as_outcome(told: Mapping[str, Any], count: int) -> dict[str, np.ndarray]:
    """What is known of `count` completions beside their rewards, [count] each; None is left out.

    Raises:
        ValueError: for another name, more or fewer numbers, or one that means nothing.

    >>> as_outcome({"right": [True, False], "modes": None}, 2)
    {'right': array([1., 0.], dtype=float32)}
    """
    if unknown := sorted(told.keys() - OUTCOME.keys()):
        raise OneLine(f"outcome has {unknown[0]!r}; it may have {', '.join(OUTCOME)}")
    given = {name: np.asarray(values) for name, values in told.items() if values is not None}
    for name, values in given.items():
        if values.shape != (count,):
            raise OneLine(f"outcome {name!r} has shape {values.shape}; it must be ({count},)")
        odd = [one for one in values.tolist() if not _FITS[name](one)]
        if odd:
            raise OneLine(f"outcome {name!r} has {brief(odd[0])}; {_MUST[name]}")
    return {name: values.astype(OUTCOME[name]) for name, values in given.items()}


_FITS = {
    "right": lambda value: value in (0, 1),
    "modes": lambda value: isinstance(value, int) and abs(value) < 2**31,
    "base_pass_rate": is_rate,
}
_MUST = {
    "right": "each must be true or false",
    "modes": "each must be a whole number, of a right completion which way it took",
    "base_pass_rate": "each must be a number from 0 to 1",
}


def refuse_no_optimizer(optimizer: Any) -> None:
    """Raise ValueError for anything but an optax transformation."""
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise OneLine(
            f"optimizer is {brief(optimizer)}; it must be an optax transformation, such as "
            "optax.adamw(1e-3)"
        )


def refuse_given_away(state: Any) -> None:
    """Raise ValueError for a state whose memory an update has taken over."""
    leaves = (leaf for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.Array))
    if any(leaf.is_deleted() for leaf in leaves):
        raise OneLine("this state was given to an earlier update; go on with the one it returned")
