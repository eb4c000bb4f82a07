"""The tasks that a config can name, beside those of the user's own.

Each gives problems, a `ProblemSet`, or an object that is a `Task` itself; `data.gathering` reads
what it gives. The names below are all that a config may say.
"""

from sage_jax.data.parts.files import csv, jsonl, parquet
from sage_jax.data.parts.gym import reasoning_gym
from sage_jax.data.parts.hubs import hf, tfds
from sage_jax.data.parts.mixture import mixture
from sage_jax.data.parts.named import (
    aime24,
    aime25,
    amc23,
    dapo_math_17k,
    gsm8k,
    math,
    math500,
    minerva,
)
from sage_jax.data.parts.procedural import arithmetic, many_ways
from sage_jax.data.parts.puzzles import brackets, programs

__all__ = [
    "aime24",
    "aime25",
    "amc23",
    "arithmetic",
    "brackets",
    "csv",
    "dapo_math_17k",
    "gsm8k",
    "hf",
    "jsonl",
    "many_ways",
    "math",
    "math500",
    "minerva",
    "mixture",
    "parquet",
    "programs",
    "reasoning_gym",
    "tfds",
]
