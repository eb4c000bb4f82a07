"""Ahead-of-time planning: what a run's steps need and cost on a slice that is not at hand."""

from sage_jax.plan.errors import PlanError
from sage_jax.plan.plan import Plan, choose, make_plan
from sage_jax.plan.report import as_json, write
from sage_jax.plan.topology import prepare

__all__ = ["Plan", "PlanError", "as_json", "choose", "make_plan", "prepare", "write"]
