"""The two kinds of building blocks, and the objective that is made of them.

A `TermTransform` maps terms to terms (it reshapes the anchor, say) and they chain; a `TokenLoss`
maps terms to a loss per token and metrics, and they add and scale; a reduction comes last. Any
callable of the right signature may stand in for a `TermTransform` or a guide.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ._arrays import Array, keep, like
from ._metrics import term_metrics, union
from .reduce import Mean, Metrics, Reduction
from .schedules import Scheduled, at
from .terms import Terms, check, clean

DependsOn = Literal["prefix", "token", "vocabulary"]
ANY: frozenset[DependsOn] = frozenset(("prefix", "token", "vocabulary"))
_NOTHING: frozenset[str] = frozenset()


class InertGuideWarning(UserWarning):
    """A guide or a KL term that was asked for cannot change the expected gradient."""


class Transform(Protocol):
    """Anything that maps terms to terms."""

    def __call__(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> Terms:
        """The transformed terms."""
        ...


class Loss(Protocol):
    """A composed objective: terms to an additive loss and mergeable metrics.

    `step` is the training step that the schedules see, `key` the randomness of this step (None
    where nothing draws any). Differentiate `mean.sum` and divide by the count of the whole batch,
    or differentiate `mean.value()` where the batch is not split.
    """

    def __call__(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> tuple[Mean, Metrics]:
        """The loss and its metrics."""
        ...


@dataclass(frozen=True)
class Guide:
    """A log guide as a function of terms, and what its value depends on.

    `function(terms, step=, key=)` gives log q of shape [B, T], or [B, T, V] for a guide over the
    vocabulary. `depends_on` decides under which KL estimators it can act: "prefix" is the same
    whatever token follows, "token" depends on the sampled token, "vocabulary" gives every token
    its own value. `needs` names the fields of `Terms` that a trainer has to fill for it.
    """

    function: Callable[..., Array]
    name: str
    depends_on: DependsOn
    needs: frozenset[str] = _NOTHING

    def __call__(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        """The log guide, [B, T] or [B, T, V]."""
        return self.function(terms, step=step, key=key)


@dataclass(frozen=True)
class Gate:
    """A factor of the KL coefficient as a function of terms, `(terms, step=, key=)` -> [B, T].

    `needs` names the fields of `Terms` that a trainer has to fill for it.
    """

    function: Callable[..., Array]
    name: str
    needs: frozenset[str] = _NOTHING

    def __call__(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        """The factor of every token, [B, T]."""
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
class Objective:
    """A composed objective, a `Loss` that knows what it reads.

    `needs` names the fields of `Terms` that a trainer has to fill, from all the parts.
    `in_reward` and `in_advantage` are what a trainer has to take off the rewards or the advantages,
    see `anchored` and `tilted`.
    """

    function: Loss
    needs: frozenset[str] = _NOTHING
    in_reward: Callable[..., Array] | None = None
    in_advantage: Callable[..., Array] | None = None

    def __call__(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> tuple[Mean, Metrics]:
        """The loss and its metrics."""
        return self.function(terms, step=step, key=key)

    def anchored(
        self, rewards: Array, terms: Terms, *, step: ArrayLike, key: Array | None
    ) -> Array:
        """The rewards [B] that advantages are to be of: less the KL, where that stands there.

        `terms` are those before the update, with `old_logps` and what the guide reads.
        """
        if self.in_reward is None:
            return rewards
        return self.in_reward(rewards, terms, step=step, key=key)

    def tilted(
        self,
        advantages: Array,
        terms: Terms,
        *,
        group_size: int,
        step: ArrayLike,
        key: Array | None,
    ) -> Array:
        """The advantages [B] that are to be learned from: less the KL, where that stands there.

        `terms` as of `anchored`, rows of one prompt adjacent.
        """
        if self.in_advantage is None:
            return advantages
        return self.in_advantage(advantages, terms, group_size=group_size, step=step, key=key)

    @property
    def full_vocabulary(self) -> bool:
        """Whether it reads logits, or token ids, which come with them."""
        return bool(self.needs & {"logits", "ref_logits", "tokens"})

    @property
    def reference(self) -> bool:
        """Whether it reads anything of the reference model."""
        return bool(self.needs & {"ref_logps", "ref_entropies", "ref_logits"})

    @property
    def old_logps(self) -> bool:
        """Whether the policy has to be asked before its update, even if there is one update."""
        return bool(self.needs & {"old_logps", "entropy_threshold"})


@dataclass(frozen=True)
class AnchorUse:
    """How a token loss uses the anchor: the estimator, and the kinds of guides that move it.

    `has_gradient` is false where the expected gradient is zero, `in_reward` true for an estimator
    whose sum over a row may be taken off the reward.
    """

    estimator: str
    moved_by: frozenset[DependsOn]
    has_gradient: bool = True
    in_reward: bool = False


@dataclass(frozen=True)
class TokenLoss:
    """A loss per token [B, T] with metrics; `a + b` adds two and `weight * a` scales one.

    A weight is a number, a scalar array or a schedule. Metrics are never scaled. `needs` names the
    fields of `Terms` that a trainer has to fill for it.
    """

    function: Callable[[Terms, ArrayLike, Array | None], tuple[Array, Metrics]]
    anchor_uses: tuple[AnchorUse, ...] = ()
    needs: frozenset[str] = _NOTHING

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

        return TokenLoss(added, self.anchor_uses + other.anchor_uses, self.needs | other.needs)

    def __mul__(self, weight: Scheduled) -> "TokenLoss":
        def scaled(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
            losses, metrics = self.function(terms, step, key)
            return losses * like(at(weight, step), losses), metrics

        return TokenLoss(scaled, self.anchor_uses, self.needs)

    __rmul__ = __mul__


def observe(token_loss: TokenLoss) -> TokenLoss:
    """A loss of zero with the metrics of `token_loss`: measured and not trained on."""

    def observed(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        held = jax.lax.stop_gradient(terms)
        losses, metrics = token_loss.function(held, step, key)
        return jnp.zeros_like(losses), metrics

    uses = tuple(replace(use, moved_by=ANY, has_gradient=True) for use in token_loss.anchor_uses)
    return TokenLoss(observed, uses, token_loss.needs)


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


def objective(
    token_loss: TokenLoss, reduction: Reduction, *, transform: Transform | None = None
) -> Objective:
    """A loss made of a transform of the terms, a loss per token and a reduction.

    `reduction(losses, terms)` as from `by_name.reduction`. The result is a pure function
    `loss(terms, step=, key=) -> (Mean, metrics)`; it adds to the metrics of `token_loss` those of
    the terms themselves: `entropy`, `kl/reference` (k3 against the unshaped reference), `q/*` and
    `sampler_gap`, each where its arrays are given. When it is composed (not when it runs) an
    `InertGuideWarning` says so if a guide or a KL term has no expected gradient; when it runs,
    ValueError names a missing or ill-shaped array.
    """
    guides = getattr(transform, "guides", ())
    _warn_if_inert(guides, token_loss.anchor_uses)

    def loss(terms: Terms, *, step: ArrayLike, key: Array | None) -> tuple[Mean, Metrics]:
        check(terms)
        terms = clean(terms)
        if transform is not None:
            terms = clean(transform(terms, step=step, key=key))
        losses, metrics = token_loss(terms, step=step, key=key)
        metrics = union(metrics, term_metrics(terms))
        return reduction(keep(terms.valid, losses), terms), jax.lax.stop_gradient(metrics)

    return Objective(loss, token_loss.needs.union(*map(_guide_needs, guides)))


def _guide_needs(guide: Guide) -> frozenset[str]:
    # What a guide says of the whole vocabulary is looked up at the tokens.
    return guide.needs | ({"tokens"} if guide.depends_on == "vocabulary" else _NOTHING)


def _warn_if_inert(guides: tuple[Guide, ...], uses: tuple[AnchorUse, ...]) -> None:
    for use in uses:
        if not use.has_gradient:
            _warn(
                f"the KL estimator {use.estimator} in the loss has an expected gradient of zero: "
                "no anchor holds the policy; take k3, k2 or exact, or put the KL into the reward"
            )
    for guide in guides:
        if not uses:
            _warn(f"the guide {guide.name} cannot act: the loss has no KL term (kl_coef 0)")
        elif not any(guide.depends_on in use.moved_by for use in uses if use.has_gradient):
            names = ", ".join(use.estimator for use in uses)
            _warn(
                f"the guide {guide.name} cannot act under the KL estimator {names}: {_WHY}; "
                "take k3, or put the KL into the reward"
            )


_WHY = "a q that this estimator sees as constant over the vocabulary drops out of the gradient"


def _warn(message: str) -> None:
    warnings.warn(message, InertGuideWarning, stacklevel=4)
