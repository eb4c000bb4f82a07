"""Ready-made objectives. They only compose what the other modules hold."""

import functools
from collections.abc import Callable
from dataclasses import replace

import jax
from jax.typing import ArrayLike

from . import anchors, by_name, kl, policy, reduce
from ._arrays import Array
from .compose import Guide, Objective, TokenLoss, objective, observe
from .reduce import Reduction
from .schedules import Scheduled, at
from .terms import Terms, check, clean


def sage(
    guide: Guide | Callable[..., Array] | None,
    *,
    kl_coef: Scheduled = 0.05,
    surrogate: TokenLoss | None = None,
    divergence: TokenLoss | None = None,
    reduction: Reduction | None = None,
    kl_in_reward: bool = False,
) -> Objective:
    """The SAGE objective: surrogate + kl_coef · divergence from the anchor q · π_ref, reduced.

    `guide` None is q = 1: GRPO with a KL term; one of your own may be a function of arrays by the
    names of its parameters; `by_name.guide` takes its options. The parts default to SAGE's own:
    `policy.clipped_surrogate()`, `kl.reverse_kl(estimator="k3")`, `by_name.reduction(reduce.grpo)`.
    With `kl_in_reward` the divergence is only measured here, and the KL is taken off the rewards by
    the objective's `anchored`: `Learner` does that by itself, a trainer of your own calls it before
    it computes advantages. With kl_coef 0 the divergence is left out and no reference
    is needed. Warns (`InertGuideWarning`) when the guide cannot act under the divergence.
    Raises ValueError for a negative kl_coef or what is no guide. Source: SAGE, arXiv 2605.18864.
    """
    surrogate = policy.clipped_surrogate() if surrogate is None else surrogate
    divergence = kl.reverse_kl() if divergence is None else divergence
    transform = None if guide is None else anchors.reshape(guide)
    made = objective(
        _with_divergence(surrogate, divergence, kl_coef, kl_in_reward),
        by_name.reduction(reduce.grpo) if reduction is None else reduction,
        transform=transform,
    )
    if not kl_in_reward or _is_zero(kl_coef):
        return made
    in_reward = functools.partial(anchored_rewards, kl_coef=kl_coef, guide=guide)
    return replace(made, in_reward=in_reward, needs=made.needs | {"old_logps", "ref_logps"})


def grpo(*, kl_coef: Scheduled = 0.0, eps_low: float = 0.2, eps_high: float = 0.2) -> Objective:
    """GRPO (arXiv 2402.03300): means by sequence, k3 to the plain reference unless kl_coef is 0."""
    surrogate = policy.clipped_surrogate(eps_low=eps_low, eps_high=eps_high)
    return sage(None, kl_coef=kl_coef, surrogate=surrogate)


def dapo(*, eps_low: float = 0.2, eps_high: float = 0.28) -> Objective:
    """DAPO (arXiv 2503.14476): no KL, a higher upper clip, all tokens of the batch weigh alike."""
    surrogate = policy.clipped_surrogate(eps_low=eps_low, eps_high=eps_high)
    return sage(None, kl_coef=0.0, surrogate=surrogate, reduction=by_name.reduction(reduce.dapo))


def gspo(*, kl_coef: Scheduled = 0.0, eps_low: float = 3e-4, eps_high: float = 4e-4) -> Objective:
    """GSPO (arXiv 2507.18071): one ratio a sequence, the geometric mean of its tokens'."""
    surrogate = policy.clipped_surrogate(eps_low=eps_low, eps_high=eps_high, level="sequence")
    return sage(None, kl_coef=kl_coef, surrogate=surrogate)


def anchored_rewards(
    rewards: Array,
    terms: Terms,
    *,
    kl_coef: Scheduled,
    step: ArrayLike,
    key: Array | None,
    guide: Guide | Callable[..., Array] | None = None,
) -> Array:
    """Rewards less kl_coef · Σ_t k1 of the sampling policy against the anchor q · π_ref; [B].

    The KL in the reward, to be called before advantages are computed; `terms` need `ref_logps` and
    what the guide reads. Give `step` and `key` as to the loss. Here a guide acts as an exploration
    bonus, + kl_coef · Σ_t log q_t, whatever it depends on. See `kl.penalize_rewards`.
    """
    check(terms)
    terms = clean(jax.lax.stop_gradient(terms))
    if guide is not None:
        terms = anchors.reshape(guide)(terms, step=step, key=key)
    coefficient = at(kl_coef, step)
    logps = terms.sampling_logps
    return kl.penalize_rewards(rewards, logps, terms.anchor_logps, terms.mask, kl_coef=coefficient)


def _with_divergence(
    surrogate: TokenLoss, divergence: TokenLoss, kl_coef: Scheduled, kl_in_reward: bool
) -> TokenLoss:
    if isinstance(kl_coef, int | float) and kl_coef < 0:
        raise ValueError(f"kl_coef is {kl_coef}; it must be 0 or more")
    if _is_zero(kl_coef):
        return surrogate
    return surrogate + (observe(divergence) if kl_in_reward else kl_coef * divergence)


def _is_zero(kl_coef: Scheduled) -> bool:
    return isinstance(kl_coef, int | float) and kl_coef == 0
