"""The building blocks that an objective is made of.

A `TermTransform` maps terms to terms (it reshapes the anchor, say) and they chain; a `TokenLoss`
maps terms to a loss per token and metrics, and they add and scale; a reduction comes last, see
`objectives`. Any callable of the right signature may stand in for a `TermTransform` or a guide.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ._arrays import Array, like
from ._metrics import union
from .reduce import Metrics
from .schedules import Scheduled, at
from .terms import Terms

DependsOn = Literal["prefix", "token", "vocabulary"]
ANY: frozenset[DependsOn] = frozenset(("prefix", "token", "vocabulary"))
_NOTHING: frozenset[str] = frozenset()


class Transform(Protocol):
    """Anything that maps terms to terms."""

    def __call__(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> Terms:
        """The transformed terms."""
        ...


@dataclass(frozen=True)
class Guide:
    """A log guide as a function of terms, and what its value depends on.

    `function(terms, step=, key=)` gives log q of shape [B, T], or [B, T, V] for a guide over the
    vocabulary. `depends_on` decides under which KL estimators it can act: "prefix" is the same
    whatever token follows, "token" depends on the sampled token, "vocabulary" gives every token
    its own value. `needs` names the fields of `Terms` that a trainer has to fill for it.
    `before_split` gives the terms of a whole batch with what the guide takes from it, see
    `Objective.prepared`; None takes nothing.
    """

    function: Callable[..., Array]
    name: str
    depends_on: DependsOn
    needs: frozenset[str] = _NOTHING
    before_split: Transform | None = None

    def __call__(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        """The log guide, [B, T] or [B, T, V]."""
        return self.function(terms, step=step, key=key)


@dataclass(frozen=True)
class Gate:
    """A factor of the KL coefficient as a function of terms, `(terms, step=, key=)` -> [B, T].

    `needs` names the fields of `Terms` that a trainer has to fill for it, and `choose` fills in
    `terms.chosen` of a whole batch, see `Objective.prepared`.
    """

    function: Callable[..., Array]
    name: str
    needs: frozenset[str] = _NOTHING
    choose: Transform | None = None

    def __call__(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        """The factor of every token, [B, T]."""
        if self.choose is not None and terms.chosen is None:
            terms = self.choose(terms, step=step, key=key)
        return self.function(terms, step=step, key=key)


@dataclass(frozen=True)
class TermTransform:
    """A transform of terms that remembers the guides it applies."""

    function: Transform
    guides: tuple[Guide, ...] = ()

    def __call__(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> Terms:
        """The transformed terms."""
        return self.function(terms, step=step, key=key)


@dataclass(frozen=True)
class AnchorUse:
    """How a token loss uses the anchor: the estimator, and the kinds of guides that move it.

    `has_gradient` is false where the expected gradient is zero, `in_reward` true for an estimator
    whose sum over a row may be taken off the reward, `renormalized` where the anchor is divided by
    its sum, so that its very value knows nothing of other guides.
    """

    estimator: str
    moved_by: frozenset[DependsOn]
    has_gradient: bool = True
    in_reward: bool = False
    renormalized: bool = False


@dataclass(frozen=True)
class TokenLoss:
    """A loss per token [B, T] with metrics; `a + b` adds two and `weight * a` scales one.

    A weight is a number, a scalar array or a schedule. Metrics are never scaled. `needs` names the
    fields of `Terms` that a trainer has to fill for it, and `choose` fills in `terms.chosen` of a
    whole batch, see `Objective.prepared`.
    """

    function: Callable[[Terms, ArrayLike, Array | None], tuple[Array, Metrics]]
    anchor_uses: tuple[AnchorUse, ...] = ()
    needs: frozenset[str] = _NOTHING
    choose: Transform | None = None

    def __call__(
        self, terms: Terms, *, step: ArrayLike, key: Array | None
    ) -> tuple[Array, Metrics]:
        """The loss of every token and the metrics of the batch."""
        return self.function(terms, step, key)

    def __add__(self, other: "TokenLoss") -> "TokenLoss":
        def added(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
            ours, our_metrics = self.function(terms, step, key)
            theirs, their_metrics = other.function(terms, step, key)
            return ours + theirs, union(our_metrics, their_metrics)

        uses, needs = self.anchor_uses + other.anchor_uses, self.needs | other.needs
        return TokenLoss(added, uses, needs, one_choice(self.choose, other.choose))

    def __mul__(self, weight: Scheduled) -> "TokenLoss":
        def scaled(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
            losses, metrics = self.function(terms, step, key)
            return losses * like(at(weight, step), losses), metrics

        return replace(self, function=scaled)

    __rmul__ = __mul__


def observe(token_loss: TokenLoss) -> TokenLoss:
    """A loss of zero with the metrics of `token_loss`: measured and not trained on."""

    def observed(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        held = jax.lax.stop_gradient(terms)
        losses, metrics = token_loss.function(held, step, key)
        return jnp.zeros_like(losses), metrics

    uses = tuple(
        replace(use, moved_by=use.moved_by if use.renormalized else ANY, has_gradient=True)
        for use in token_loss.anchor_uses
    )
    return replace(token_loss, function=observed, anchor_uses=uses)


def one_choice(*choices: Transform | None) -> Transform | None:
    """What there is to choose tokens of the whole batch.

    Raises ValueError where there are two, which would have one place in the terms.
    """
    found = [choose for choose in choices if choose is not None]
    if len(found) > 1:
        raise ValueError(
            "two parts of a loss choose tokens of the whole batch; terms.chosen holds one choice"
        )
    return found[0] if found else None


def chain(*transforms: Transform) -> TermTransform:
    """One transform that applies all of them, from left to right.

    Each gets a key of its own (`fold_in` by position), so that two noisy guides are independent.
    """

    def chained(terms: Terms, *, step: ArrayLike, key: Array | None) -> Terms:
        for index, transform in enumerate(transforms):
            own = None if key is None else jax.random.fold_in(key, index)
            terms = transform(terms, step=step, key=own)
        return terms

    found = (guide for transform in transforms for guide in getattr(transform, "guides", ()))
    return TermTransform(chained, tuple(found))
