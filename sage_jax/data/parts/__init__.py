"""The tasks that a config can name, beside those of the user's own.

Each gives problems, a `ProblemSet`, or an object that is a `Task` itself; `data.gathering` reads
what it gives. The names below are all that a config may say.
"""

from sage_jax.data.parts.files import csv, jsonl, parquet
from sage_jax.data.parts.hubs import hf, tfds
from sage_jax.data.parts.procedural import arithmetic, many_ways
from sage_jax.data.parts.puzzles import brackets, programs

__all__ = [
    "arithmetic",
    "brackets",
    "csv",
    "hf",
    "jsonl",
    "many_ways",
    "parquet",
    "programs",
    "tfds",
]
