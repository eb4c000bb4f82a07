"""Parts by name: the functions that a config names with `use:`, found and their arguments checked.

A short name is a function of the part's own room, `module:function` one of the user's, the
arguments stand beside it, and a word alone is `{use: word}`. Nothing is registered: a room is a
module, and its parts are the functions in it.
"""

from sage_jax.parts.arguments import arguments, shown
from sage_jax.parts.listing import listing
from sage_jax.parts.modules import load, look_in, place, said
from sage_jax.parts.nested import sources_of, within
from sage_jax.parts.resolve import Part, resolve
from sage_jax.parts.room import Room
from sage_jax.parts.rooms import (
    ADVANTAGES,
    CURRICULA,
    ESTIMATORS,
    GATES,
    GUIDES,
    LISTENERS,
    REDUCTIONS,
    REPAIRS,
    REWARDS,
    SURROGATES,
    TASKS,
)
from sage_jax.parts.sources import sources
from sage_jax.parts.spec import ListenerSpec, RewardSpec, SourceSpec, Spec, SuiteSpec, TaskSpec

__all__ = [
    "ADVANTAGES",
    "CURRICULA",
    "ESTIMATORS",
    "GATES",
    "GUIDES",
    "LISTENERS",
    "REDUCTIONS",
    "REPAIRS",
    "REWARDS",
    "SURROGATES",
    "TASKS",
    "ListenerSpec",
    "Part",
    "RewardSpec",
    "Room",
    "SourceSpec",
    "Spec",
    "SuiteSpec",
    "TaskSpec",
    "arguments",
    "listing",
    "load",
    "look_in",
    "place",
    "resolve",
    "said",
    "shown",
    "sources",
    "sources_of",
    "within",
]
