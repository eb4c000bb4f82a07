"""Metrics of the terms themselves, and metrics of two losses side by side."""

from collections.abc import Mapping

import jax.numpy as jnp

from . import reduce
from .reduce import Metrics
from .terms import Terms


def union(left: Mapping[str, reduce.Metric], right: Mapping[str, reduce.Metric]) -> Metrics:
    """Metrics of two losses of the same batch side by side; ValueError where names collide."""
    both = sorted(left.keys() & right.keys())
    if both:
        raise ValueError(f"metrics: {both} come from two losses; give one of them another name")
    return {**left, **right}


def term_metrics(terms: Terms) -> Metrics:
    """Entropy, distances and the guide at valid tokens, each where its arrays are given."""
    valid, metrics = terms.valid, {}
    if terms.entropies is not None:
        metrics["entropy"] = reduce.mean(terms.entropies, valid)
    if terms.sampler_logps is not None:
        gap = jnp.abs(terms.sampling_logps - terms.sampler_logps)
        metrics["sampler_gap"] = reduce.mean(gap, valid)
    if terms.ref_logps is not None:
        away = terms.ref_logps - terms.logps
        metrics["kl/reference"] = reduce.mean(jnp.expm1(away) - away, valid)
        metrics |= guide_metrics(terms)
    return metrics


def guide_metrics(terms: Terms) -> Metrics:
    """Mean, minimum and maximum of q over valid tokens, and the share of tokens with q above 1."""
    log_q = jnp.zeros_like(terms.logps) if terms.log_q is None else terms.log_q
    q = jnp.exp(log_q)
    return {
        "q/mean": reduce.mean(q, terms.valid),
        "q/min": reduce.minimum(q, terms.valid),
        "q/max": reduce.maximum(q, terms.valid),
        "q/above_one": reduce.mean(log_q > 0, terms.valid),
    }
