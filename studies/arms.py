"""The arms: methods as compositions of the library's parts, each a function of traced numbers."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax

from sage_jax.losses import (
    advantages,
    by_name,
    compose,
    gates,
    guides,
    kl,
    policy,
    recipes,
    surrogates,
)
from studies.setting import Setting

Values = Mapping[str, jax.Array]
Make = Callable[[Values], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Arm:
    """A method that is compared.

    Attributes:
        name: in tables.
        make: numbers -> the arguments of `Steps` by which it differs from others. Arms that share
            it share a program.
        constants: numbers that it is called with, beside `kl_coef` and `learning_rate`.
        kl_coefs: the grid.
    """

    name: str
    make: Make
    constants: Mapping[str, float] = dataclasses.field(default_factory=dict)
    kl_coefs: tuple[float, ...] = (0.1, 0.14, 0.2)


def anchored(
    guide: Callable[[Values], Any] = lambda values: None,
    *,
    estimator: Callable[..., Any] = kl.k3,
    held: tuple[Callable[..., Any], ...] = (),
    **options: Any,
) -> Make:
    """An arm with a KL to an anchor: which guide, estimator and gates; `options` of the recipe."""

    def make(values: Values) -> dict[str, Any]:
        loss = recipes.sage(
            guide(values),
            kl_coef=values["kl_coef"],
            divergence=by_name.estimator(estimator),
            gates=[gate(values) for gate in held],
            **options,
        )
        return {"loss": loss}

    return make


def ruled(*rules: Callable[..., Any], **options: Any) -> Make:
    """An arm with other advantages, beside plain k3."""

    def make(values: Values) -> dict[str, Any]:
        return {**anchored(**options)(values), "advantages": rules}

    return make


def gated(source: guides.Source) -> Callable[[Values], compose.Guide]:
    """The gate as a guide, by the policy's or the reference's entropy."""

    def guide(values: Values) -> compose.Guide:
        return guides.gated_guide(**_gate(values), source=source)

    return guide


def fork(values: Values) -> compose.Gate:
    """The gate by the reference's entropy as a factor of the coefficient."""

    def factor(ref_entropies: jax.Array) -> jax.Array:
        return guides.gate_factor(ref_entropies, **_gate(values))

    return by_name.gate(factor)


def _gate(values: Values) -> dict[str, Any]:
    return {name: values[name] for name in ("low", "high", "threshold")}


def _plain(gate: Callable[..., jax.Array], **options: Any) -> Callable[[Values], compose.Gate]:
    return lambda values: by_name.gate(gate, **options)


def _sampled(surrogate: Callable[..., Any], **options: Any) -> Make:
    return anchored(surrogate=by_name.surrogate(surrogate, **options))


GATE = {"low": 0.1, "high": 1.0, "threshold": 1.2}
LADDER = (0.025, 0.05, 0.07, 0.1, 0.14, 0.2, 0.4)
_SHORT = (0.05, 0.1, 0.14, 0.2, 0.4)
_BESIDE = (0.0, 0.1, 0.14, 0.2)
_STEPS = Setting().steps

K3, K2, EXACT = anchored(), anchored(estimator=kl.k2), anchored(estimator=kl.exact)
_GATED = {source: anchored(gated(source)) for source in ("policy", "ref")}
_OFFICIAL = {
    source: anchored(lambda values, source=source: guides.branch_guide(source=source))
    for source in ("policy", "ref")
}

CORE = (
    Arm("no KL", K3, kl_coefs=(0.0,)),
    Arm("k3", K3, kl_coefs=LADDER),
    Arm("k2", K2, kl_coefs=LADDER),
    Arm("exact", EXACT, kl_coefs=LADDER),
    Arm("branch", _OFFICIAL["policy"], kl_coefs=(0.05, 0.1, 0.14, 0.2)),
    Arm("branch, ref", _OFFICIAL["ref"], kl_coefs=(0.05, 0.1, 0.14, 0.2)),
    Arm("gated", _GATED["policy"], GATE, _SHORT),
    Arm("gated, ref", _GATED["ref"], GATE, _SHORT),
    Arm("gated, ref, in the clip", _GATED["ref"], GATE | {"low": 0.6, "high": 1.4}),
    Arm("gate on k3", anchored(held=(fork,)), GATE, _SHORT),
    Arm("gate on k2", anchored(estimator=kl.k2, held=(fork,)), GATE, _SHORT),
    Arm("gate on exact", anchored(estimator=kl.exact, held=(fork,)), GATE, _SHORT),
    Arm("random", anchored(lambda values: guides.random_guide(epsilon=0.1, sigma=0.15))),
)
"""SAGE's official guide, shaped anchors, their controls and their null."""

FEW = tuple(
    arm
    for arm in CORE
    if arm.name in ("no KL", "k3", "exact", "branch", "gated, ref", "gate on k2")
)
"""What shows whether the gate's shape helps on another puzzle."""

WEAKER = tuple(
    dataclasses.replace(arm, kl_coefs=(0.0125, 0.025)) for arm in FEW if arm.name != "no KL"
)
"""The same at weaker coefficients, where pass@64 falls little and an anchor may let go."""

BETWEEN = tuple(
    dataclasses.replace(
        arm, name=f"{arm.name}, 1.5 nats", constants=GATE | {"threshold": 1.5}, kl_coefs=(0.2, 0.4)
    )
    for arm in FEW
    if arm.name in ("gated, ref", "gate on k2")
)
"""The gate with a threshold between the noise and the forks of `loud`."""

RIVALS = (
    Arm("token", anchored(lambda values: guides.token_guide(alpha=0.3, sigma=0.0))),
    # A group's deviation would make a KL alone as large as a reward, where rewards are equal.
    Arm("k1 in the reward", ruled(advantages.rloo, estimator=kl.k1, kl_in="reward"),
        kl_coefs=(0.005, 0.01, 0.02, *_SHORT)),
    Arm("ZCPO, k1", ruled(advantages.none, estimator=kl.k1, kl_in="advantage"),
        kl_coefs=(0.5, 1.0, 2.0, 2.8, 4.0)),
    Arm("tempered", anchored(lambda values: guides.tempered_guide(phi=0.7)),
        kl_coefs=(0.0125, 0.025, *_SHORT)),
    Arm("k3, not in equal groups", anchored(held=(_plain(gates.unequal),)),
        kl_coefs=(*_SHORT, 0.28)),
    Arm("k3, on wrong answers", anchored(held=(_plain(gates.wrong),)), kl_coefs=_SHORT),
    Arm("k3, at the opening", anchored(held=(_plain(gates.opening, length=1),)), kl_coefs=_SHORT),
    Arm("pass@4", ruled(functools.partial(advantages.pass_at_k, k=4)), kl_coefs=_BESIDE),
    Arm("PKPO 4", ruled(functools.partial(advantages.pkpo, k=4)), kl_coefs=_BESIDE),
    Arm("PKPO 4, gate on k2", ruled(
        functools.partial(advantages.pkpo, k=4), estimator=kl.k2, held=(fork,)),
        GATE, _SHORT),
    Arm("MaxRL", ruled(advantages.maxrl), kl_coefs=_BESIDE),
    Arm("W-REINFORCE", ruled(advantages.w_reinforce), kl_coefs=_BESIDE),
    Arm("F-GRPO", ruled(advantages.focal), kl_coefs=_BESIDE),
    Arm("BBG", ruled(functools.partial(advantages.posterior, k=16)), kl_coefs=_BESIDE),
    Arm("QAE", ruled(advantages.quantile), kl_coefs=_BESIDE),
    Arm("UCPO", ruled(advantages.group, advantages.rare_by_logps), kl_coefs=_BESIDE),
    Arm("Cue", ruled(advantages.group, advantages.rare_by_mode), kl_coefs=_BESIDE),
    Arm("DS-GRPO", ruled(advantages.group, advantages.smoothed), kl_coefs=_BESIDE),
    Arm("Clip-Cov", _sampled(surrogates.clip_cov, share=0.02), kl_coefs=_BESIDE),
    Arm("entropy advantage", anchored(
        surrogate=policy.entropy_advantage(policy.clipped_surrogate(), alpha=0.4, kappa=2.0)),
        kl_coefs=_BESIDE),
)  # fmt: skip
"""Other answers to the same question, beside plain k3 where they have no anchor of their own."""

SCHEDULED = (
    Arm("token, scheduled", anchored(lambda values: guides.token_guide(max_steps=_STEPS))),
    Arm("random, scheduled", anchored(lambda values: guides.random_guide(max_steps=_STEPS))),
)
"""The official guides whose constants fall in cycles over the run."""


def _dose(name: str, **changed: float) -> Arm:
    return Arm(name, _GATED["ref"], GATE | changed, (0.2,))


DOSES = (
    *(_dose(f"threshold {value}", threshold=value) for value in (0.6, 0.9, 1.5, 1.8, 2.2)),
    *(_dose(f"low {value}", low=value) for value in (0.03, 0.3, 0.6)),
    *(_dose(f"high {value}", high=value) for value in (1.4, 2.0)),
)
"""The gate by the reference with one number changed at a time."""
