"""Problems: files, procedural tasks, order, prompts.

What needs TFDS lies in `builders`, `preparing` and `cached`, which are not imported here: it takes
a while.
"""

from sage_jax.data.arithmetic import make_problems, solutions
from sage_jax.data.jsonl import check_golds, read_problems
from sage_jax.data.order import batch_indices
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.problem_set import ProblemSet
from sage_jax.data.prompts import Prompting, demonstration, render, render_text
from sage_jax.data.tasks import Task

__all__ = [
    "DataError",
    "Problem",
    "ProblemSet",
    "Prompting",
    "Task",
    "batch_indices",
    "check_golds",
    "demonstration",
    "make_problems",
    "read_problems",
    "render",
    "render_text",
    "solutions",
]
