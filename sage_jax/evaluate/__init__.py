"""Evaluation: pass@k, majority@k, support expansion, intervals, plots and reports."""

from sage_jax.evaluate.bootstrap import (
    Interval,
    known_intervals,
    mean_interval,
    mean_intervals,
    paired_differences,
    pairing,
)
from sage_jax.evaluate.draws import draws_at_k
from sage_jax.evaluate.holm import holm
from sage_jax.evaluate.majority import majority_at_k
from sage_jax.evaluate.metrics import read_metrics
from sage_jax.evaluate.passk import all_pass_at_k, ladder, pass_at_k
from sage_jax.evaluate.permutation import sign_flips
from sage_jax.evaluate.problem_result import ProblemResult, tally
from sage_jax.evaluate.report.printed import print_table
from sage_jax.evaluate.report.report import write_report
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.runs import Run, read_run, read_runs
from sage_jax.evaluate.samples import Sample
from sage_jax.evaluate.seeded import SeededResult
from sage_jax.evaluate.support import Support, expected_support, support_expansion
from sage_jax.files import ResultError

__all__ = [
    "EvalResult",
    "Interval",
    "ProblemResult",
    "ResultError",
    "Run",
    "Sample",
    "SeededResult",
    "Support",
    "all_pass_at_k",
    "draws_at_k",
    "expected_support",
    "holm",
    "known_intervals",
    "ladder",
    "majority_at_k",
    "mean_interval",
    "mean_intervals",
    "paired_differences",
    "pairing",
    "pass_at_k",
    "print_table",
    "read_metrics",
    "read_run",
    "read_runs",
    "sign_flips",
    "support_expansion",
    "tally",
    "write_report",
]
