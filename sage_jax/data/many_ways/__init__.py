"""Problems with many right answers, in five domains of five levels, each judged with its mode.

Every problem is drawn from a seed, has between two and a hundred modes, which are listed by
enumeration, and is asked in words with the form of its answer, so that any evaluator can read it:
its facts are JSON beside it. Of our own design, after the problems of arXiv 2610.11064.
"""

from sage_jax.data.many_ways.domain import LEVELS, Domain, Facts
from sage_jax.data.many_ways.problems import (
    DOMAINS,
    Name,
    judge,
    make_problems,
    modes_of,
    way_of,
    worked,
)

__all__ = [
    "DOMAINS",
    "LEVELS",
    "Domain",
    "Facts",
    "Name",
    "judge",
    "make_problems",
    "modes_of",
    "way_of",
    "worked",
]
