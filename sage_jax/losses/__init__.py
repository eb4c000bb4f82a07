"""Losses for reinforcement learning of language models with shaped anchors (SAGE).

Pure functions of arrays; nothing is imported but jax and the standard library, and all imports
inside are relative, so that this folder can be copied into another project as it is. Whoever has a
trainer needs only a guide: `ref_logps + guides.branch(entropies, mask)` is the shaped anchor.
"""

from . import (
    advantages,
    anchors,
    best_of,
    by_name,
    choices,
    compose,
    count_tables,
    counts,
    declared,
    fused,
    gates,
    guides,
    importance,
    kl,
    objectives,
    outcome,
    policy,
    rarity,
    recipes,
    reduce,
    schedules,
    surrogates,
    terms,
    weights,
)
from .anchors import reshape
from .choices import chosen_by
from .compose import (
    Gate,
    Guide,
    TermTransform,
    TokenLoss,
    chain,
    observe,
)
from .declared import depends_on, moved_by
from .fused import from_hidden
from .kl import forward_kl, reverse_kl
from .objectives import InertGuideWarning, Loss, Objective, objective
from .policy import clipped_surrogate
from .reduce import Max, Mean, Metrics, Min
from .terms import Terms, from_logits

__all__ = [
    "Gate",
    "Guide",
    "InertGuideWarning",
    "Loss",
    "Max",
    "Mean",
    "Metrics",
    "Min",
    "Objective",
    "TermTransform",
    "Terms",
    "TokenLoss",
    "advantages",
    "anchors",
    "best_of",
    "by_name",
    "chain",
    "choices",
    "chosen_by",
    "clipped_surrogate",
    "compose",
    "count_tables",
    "counts",
    "declared",
    "depends_on",
    "forward_kl",
    "from_hidden",
    "from_logits",
    "fused",
    "gates",
    "guides",
    "importance",
    "kl",
    "moved_by",
    "objective",
    "objectives",
    "observe",
    "outcome",
    "policy",
    "rarity",
    "recipes",
    "reduce",
    "reshape",
    "reverse_kl",
    "schedules",
    "surrogates",
    "terms",
    "weights",
]
