"""Rewards: token-level exact match inside jit; text answers judged on the host.

The names below are imported on first use, so that a verifier worker process, which imports this
package too, never pays for jax.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sage_jax.rewards.answers import extract
    from sage_jax.rewards.combine import Rewards, weighted_sum
    from sage_jax.rewards.exact import exact_match
    from sage_jax.rewards.format import boxed_once, matches
    from sage_jax.rewards.math import LOST, Verdict, readable, score
    from sage_jax.rewards.number_judge import NumberJudge
    from sage_jax.rewards.pool import VerifierPool
    from sage_jax.rewards.verify import Pair, VerifyFileError, read_pairs, verify_file
    from sage_jax.rewards.votes import candidates
    from sage_jax.rewards.workers import VerifierError

__all__ = [
    "LOST",
    "NumberJudge",
    "Pair",
    "Rewards",
    "Verdict",
    "VerifierError",
    "VerifierPool",
    "VerifyFileError",
    "boxed_once",
    "candidates",
    "exact_match",
    "extract",
    "matches",
    "read_pairs",
    "readable",
    "score",
    "verify_file",
    "weighted_sum",
]

_HOME = {
    "LOST": "math",
    "NumberJudge": "number_judge",
    "Pair": "verify",
    "Rewards": "combine",
    "Verdict": "math",
    "VerifierError": "workers",
    "VerifierPool": "pool",
    "VerifyFileError": "verify",
    "boxed_once": "format",
    "candidates": "votes",
    "exact_match": "exact",
    "extract": "answers",
    "matches": "format",
    "read_pairs": "verify",
    "readable": "math",
    "score": "math",
    "verify_file": "verify",
    "weighted_sum": "combine",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the module that holds it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
