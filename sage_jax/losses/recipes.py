"""Ready-made objectives. They only compose what the other modules hold."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import jax
from jax.typing import ArrayLike

from . import anchors, by_name, kl, policy, reduce
from ._arrays import Array
from .compose import ANY, AnchorUse, Gate, Guide, TokenLoss, observe
from .objectives import Objective, objective
from .reduce import Reduction
from .schedules import Scheduled, at
from .terms import Terms, check, clean

KLIn = Literal["loss", "reward", "advantage"]


def sage(
    guide: Guide | Callable[..., Array] | None,
    *,
    kl_coef: Scheduled = 0.05,
    surrogate: TokenLoss | None = None,
    divergence: TokenLoss | None = None,
    reduction: Reduction | None = None,
    gates: Sequence[Gate | Callable[..., Array]] = (),
    kl_in: KLIn = "loss",
) -> Objective:
    """The SAGE objective: surrogate + kl_coef · g · divergence from the anchor q · π_ref, reduced.

    `guide` None is q = 1: GRPO with a KL term; one of your own may be a function of arrays by the
    names of its parameters; `by_name.guide` takes its options. The parts default to SAGE's own:
    `policy.clipped_surrogate()`, `kl.reverse_kl(estimator="k3")`, `by_name.reduction(reduce.grpo)`.
    `gates` give g, by default 1, where the anchor is to hold; see `anchors.gate`.
    With `kl_in` "reward" or "advantage" the divergence is only measured here. "reward" takes k1 off
    the rewards, see `anchored_rewards`; "advantage" takes the divergence off the advantages, see
    `tilted_advantages` and, where that reads logits, `Objective.distances`. `Learner` does that by
    itself; a trainer of your own calls the objective's `anchored` before it computes advantages and
    `tilted` after. With kl_coef 0 the divergence is left out and no reference is needed. Warns
    (`InertGuideWarning`) when the guide cannot act under the divergence. Raises ValueError for a
    negative kl_coef, another `kl_in` or what is no guide.
    Source: SAGE, arXiv 2605.18864.
    """
    surrogate = policy.clipped_surrogate() if surrogate is None else surrogate
    divergence = kl.reverse_kl() if divergence is None else divergence
    transform = None if guide is None else anchors.reshape(guide)
    if kl_in not in ("loss", "reward", "advantage"):
        raise ValueError(f"kl_in is {kl_in!r}; it must be loss, reward or advantage")
    gated = anchors.gate(divergence, *gates)
    made = objective(
        _with_divergence(surrogate, gated, kl_coef, kl_in=kl_in),
        by_name.reduction(reduce.grpo) if reduction is None else reduction,
        transform=transform,
    )
    if kl_in == "loss" or _is_zero(kl_coef):
        return made
    needs = made.needs | {"old_logps", "ref_logps"}
    if kl_in == "reward":
        take = functools.partial(anchored_rewards, kl_coef=kl_coef, guide=guide, gates=gates)
        return replace(made, in_reward=take, needs=needs)
    measure = functools.partial(distances, guide=guide, divergence=gated)
    take = functools.partial(tilted_advantages, kl_coef=kl_coef, guide=guide, divergence=gated)
    by_logits = measure if made.full_vocabulary else None
    return replace(made, in_advantage=take, distances=by_logits, needs=needs)


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
    gates: Sequence[Gate | Callable[..., Array]] = (),
) -> Array:
    """Rewards less kl_coef · Σ_t g · k1 of the sampling policy against the anchor q · π_ref; [B].

    The KL in the reward, to be called before advantages are computed; `terms` need `ref_logps` and
    what guide and gates read. Give `step` and `key` as to the loss. Here a guide acts as an
    exploration bonus, + kl_coef · Σ_t log q_t, whatever it depends on. See `kl.penalize_rewards`.
    """
    terms = _before(terms, guide, step=step, key=key)
    coefficient = at(kl_coef, step) * anchors.product(gates, terms, step=step, key=key)
    return kl.penalize_rewards(
        rewards, terms.logps, terms.anchor_logps, terms.mask, kl_coef=coefficient
    )


def tilted_advantages(
    advantages: Array,
    terms: Terms,
    *,
    group_size: int,
    kl_coef: Scheduled,
    divergence: TokenLoss,
    step: ArrayLike,
    key: Array | None,
    guide: Guide | Callable[..., Array] | None = None,
) -> Array:
    """Advantages less kl_coef times the row's mean divergence, centred in its group; [B].

    The KL as a coefficient of the surrogate, to be called after advantages are computed, rows of
    one prompt adjacent; the divergence is of the sampling policy from the anchor q · π_ref, or what
    `terms.distances` say it is. See `kl.tilt_advantages`. Source: ZCPO, arXiv 2610.12161.
    """
    found = terms.distances
    if found is None:
        terms = replace(terms, advantages=advantages)
        found = distances(terms, divergence=divergence, step=step, key=key, guide=guide)
    return kl.tilt_advantages(
        advantages, found, terms.mask, group_size=group_size, kl_coef=at(kl_coef, step)
    )


def distances(
    terms: Terms,
    *,
    divergence: TokenLoss,
    step: ArrayLike,
    key: Array | None,
    guide: Guide | Callable[..., Array] | None = None,
) -> Array:
    """The divergence of the sampling policy from the anchor q · π_ref at every token, [B, T]."""
    terms = _before(terms, guide, step=step, key=key)
    return divergence(terms, step=step, key=key)[0]


def _before(
    terms: Terms, guide: Guide | Callable[..., Array] | None, *, step: ArrayLike, key: Array | None
) -> Terms:
    """Terms of the policy that sampled, before its update, with the shaped anchor."""
    check(terms)
    terms = clean(jax.lax.stop_gradient(replace(terms, logps=terms.sampling_logps)))
    return terms if guide is None else anchors.reshape(guide)(terms, step=step, key=key)


def _with_divergence(
    surrogate: TokenLoss, divergence: TokenLoss, kl_coef: Scheduled, *, kl_in: KLIn
) -> TokenLoss:
    if isinstance(kl_coef, int | float) and kl_coef < 0:
        raise ValueError(f"kl_coef is {kl_coef}; it must be 0 or more")
    if _is_zero(kl_coef):
        return surrogate
    if kl_in == "loss":
        return surrogate + kl_coef * divergence
    measured = observe(divergence)
    if kl_in == "reward":  # k1 is taken off there, which every guide moves, whatever is measured.
        measured = replace(measured, anchor_uses=(AnchorUse("k1", ANY, in_reward=True),))
    return surrogate + measured


def _is_zero(kl_coef: Scheduled) -> bool:
    return isinstance(kl_coef, int | float) and kl_coef == 0
