"""The tasks that a config can name, beside those of the user's own.

Each gives problems, a `ProblemSet`, or an object that is a `Task` itself; `data.gathering` reads
what it gives. The names below are all that a config may say.
"""

from sage_jax.data.parts.files import jsonl
from sage_jax.data.parts.mixture import mixture
from sage_jax.data.parts.procedural import arithmetic, many_ways
from sage_jax.data.parts.puzzles import brackets, programs

__all__ = ["arithmetic", "brackets", "jsonl", "many_ways", "mixture", "programs"]
