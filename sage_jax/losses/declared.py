"""What a function of arrays says of itself, where what it reads would not tell."""

from collections.abc import Callable
from typing import Any, TypeVar

from .compose import AnchorUse, DependsOn

F = TypeVar("F", bound=Callable[..., Any])


def depends_on(kind: DependsOn) -> Callable[[F], F]:
    """Decorator: what the value of a guide depends on, where its arguments would tell otherwise.

    >>> @depends_on("prefix")
    ... def peaked(logits, mask):
    ...     return 0.1 * logits.max(axis=-1) * mask
    >>> from .by_name import guide
    >>> guide(peaked).depends_on
    'prefix'
    """

    def declare(function: F) -> F:
        vars(function)["depends_on"] = kind
        return function

    return declare


def moved_by(*kinds: DependsOn, in_loss: bool = True, in_reward: bool = False) -> Callable[[F], F]:
    """Decorator: which guides move an estimator's gradient, and where it may stand.

    `kinds` as of `Guide.depends_on`; an estimator that declares nothing is moved by all. `in_loss`
    is false where its expected gradient is zero, `in_reward` true where its sum over a row may be
    taken off the reward.
    """

    def declare(function: F) -> F:
        use = AnchorUse(function.__name__, frozenset(kinds), in_loss, in_reward)
        vars(function)["anchor_use"] = use
        return function

    return declare
