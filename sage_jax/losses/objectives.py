"""The objective: a transform of terms, a loss per token and a reduction, as one function."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import jax
from jax.typing import ArrayLike

from ._arrays import Array, keep
from ._metrics import term_metrics, union
from .compose import AnchorUse, Guide, TokenLoss, Transform
from .reduce import Mean, Metrics, Reduction
from .terms import Terms, check, clean

_NOTHING: frozenset[str] = frozenset()


class InertGuideWarning(UserWarning):
    """A guide or a KL term that was asked for cannot change the expected gradient."""


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
class Objective:
    """A composed objective, a `Loss` that knows what it reads.

    `needs` names the fields of `Terms` that a trainer has to fill, from all the parts.
    `in_reward` and `in_advantage` are what a trainer has to take off the rewards or the advantages,
    see `anchored` and `tilted`, and `before_split` what it has to do before it splits a batch, see
    `prepared`. `distances(terms, step=, key=)` gives [B, T] where `tilted` needs what only logits
    tell: a trainer calls it on prepared terms, in as small parts as it likes, with the logits of
    the policy that sampled and of the reference, and hands the result on as `terms.distances`.
    `transform` is what reshapes the anchor, for whoever wants to see `terms.log_q`.
    """

    function: Loss
    needs: frozenset[str] = _NOTHING
    in_reward: Callable[..., Array] | None = None
    in_advantage: Callable[..., Array] | None = None
    before_split: Transform | None = None
    distances: Callable[..., Array] | None = None
    transform: Transform | None = None

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

    def log_q(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> Array | None:
        """The log guide [B, T] of terms as the loss gets them; None where the anchor is plain."""
        if self.transform is None:
            return None
        return clean(self.transform(clean(terms), step=step, key=key)).log_q

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

        `terms` as of `anchored`, rows of one prompt adjacent, with `distances` where these are
        asked for.
        """
        if self.in_advantage is None:
            return advantages
        return self.in_advantage(advantages, terms, group_size=group_size, step=step, key=key)

    def prepared(self, terms: Terms, *, step: ArrayLike, key: Array | None) -> Terms:
        """The terms of a whole batch, advantages included, with what parts take from it.

        Whoever splits the batch calls it before, and the parts together then give the loss of the
        whole; where the batch stays whole it need not be called.
        """
        if self.before_split is None:
            return terms
        return self.before_split(terms, step=step, key=key)

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


def objective(
    token_loss: TokenLoss, reduction: Reduction, *, transform: Transform | None = None
) -> Objective:
    """A loss made of a transform of the terms, a loss per token and a reduction.

    `reduction(losses, terms)` as from `by_name.reduction`. The result is a pure function
    `loss(terms, step=, key=) -> (Mean, metrics)`; it adds to the metrics of `token_loss` those of
    the terms themselves: `entropy`, `kl/reference` (k3 against the unshaped reference), `q/*` and
    `sampler_gap`, each where its arrays are given. When it is composed (not when it runs) an
    `InertGuideWarning` says so if a guide or a KL term has no expected gradient; when it runs,
    ValueError names a missing or ill-shaped array. It refuses two guides that take statistics of
    the whole batch, which have one place in the terms.
    """
    guides = getattr(transform, "guides", ())
    _warn_if_inert(guides, token_loss.anchor_uses)

    def loss(terms: Terms, *, step: ArrayLike, key: Array | None) -> tuple[Mean, Metrics]:
        check(terms)
        terms = clean(terms)
        if token_loss.choose is not None and terms.chosen is None:
            terms = token_loss.choose(terms, step=step, key=key)
        if transform is not None:
            terms = clean(transform(terms, step=step, key=key))
        losses, metrics = token_loss(terms, step=step, key=key)
        metrics = union(metrics, term_metrics(terms))
        return reduction(keep(terms.valid, losses), terms), jax.lax.stop_gradient(metrics)

    needs = token_loss.needs.union(*map(_guide_needs, guides))
    before_split = _before_split(guides, token_loss)
    return Objective(loss, needs, before_split=before_split, transform=transform)


def _before_split(guides: tuple[Guide, ...], token_loss: TokenLoss) -> Transform | None:
    """What guides and losses do to the terms of a whole batch, one after the other."""
    asking = [guide for guide in guides if guide.before_split is not None]
    if len(asking) > 1:
        names = " and ".join(guide.name for guide in asking)
        raise ValueError(f"the guides {names} take statistics of the whole batch; only one may")
    found = (*(guide.before_split for guide in asking), token_loss.choose)
    steps = [one for one in found if one is not None]

    def prepared(terms: Terms, *, step: ArrayLike, key: Array | None) -> Terms:
        for one in steps:
            terms = one(terms, step=step, key=key)
        return terms

    return prepared if steps else None


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
