"""Problems: files, procedural tasks, order, prompts.

The TFDS builder lies in `sage_jax.data.builders`, which is not imported here: it takes a while.
"""

from sage_jax.data.arithmetic import make_problems, solutions
from sage_jax.data.jsonl import check_golds, read_problems
from sage_jax.data.order import batch_indices
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.prompts import demonstration, render, render_text

__all__ = [
    "DataError",
    "Problem",
    "batch_indices",
    "check_golds",
    "demonstration",
    "make_problems",
    "read_problems",
    "render",
    "render_text",
    "solutions",
]
