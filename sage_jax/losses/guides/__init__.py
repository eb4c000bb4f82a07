"""Guides: log q at every token, the factor by which the anchor π_ref is reshaped.

Plain functions of arrays are all that a trainer of one's own needs: their result is added to the
reference's log-probabilities. The `*_guide` factories make `Guide`s of them for `anchors.reshape`;
`by_name.guide` makes one of any function of that form. Every guide is constant under the gradient
and has q = 1 where the mask is 0. `branch`, `token` and `random` are SAGE's (arXiv 2605.18864),
with q in [q_min, q_max] and the official constants as defaults; `gated`, `tempered`, `rival` and
`support` have bounds of their own.
"""

from .bounds import bounded_log
from .branching import branch, branch_guide
from .gating import covered_high, gate_factor, gated, gated_guide, held_high
from .noise import random, random_guide, row_normals
from .none import none_guide
from .rivalry import rival, rival_guide
from .source import Source
from .supporting import in_support, support, support_guide
from .surprisal import Normalize, token, token_guide
from .tempering import (
    phi_by_entropy,
    phi_by_position,
    phi_by_reward,
    tempered,
    tempered_guide,
    tempered_vocabulary,
)

__all__ = [
    "Normalize",
    "Source",
    "bounded_log",
    "branch",
    "branch_guide",
    "covered_high",
    "gate_factor",
    "gated",
    "gated_guide",
    "held_high",
    "in_support",
    "none_guide",
    "phi_by_entropy",
    "phi_by_position",
    "phi_by_reward",
    "random",
    "random_guide",
    "rival",
    "rival_guide",
    "row_normals",
    "support",
    "support_guide",
    "tempered",
    "tempered_guide",
    "tempered_vocabulary",
    "token",
    "token_guide",
]
