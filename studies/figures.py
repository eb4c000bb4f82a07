"""What is kept of a judged model: a few numbers a row."""

import numpy as np

from sage_jax.evaluate.modes import exact_effective_modes
from sage_jax.evaluate.passk import exact_pass_at_k
from studies.exact import Judgement

KS = (1, 4, 16, 64, 256)
_KEPT = 0.01


def figures(judged: Judgement) -> dict[str, float]:
    """Means over problems: pass@k exactly, right answers kept, the fork's nats, values followed.

    `modes/kept` is the share of right answers with a probability of 1% or more, `modes/effective`
    exp of the entropy of right answers, given that one is right.
    """
    modes = np.asarray(judged.modes, np.float64)
    chance = np.clip(modes.sum(axis=1), 0.0, 1.0)
    found = {f"pass@{k}": float(exact_pass_at_k(chance, k).mean()) for k in KS}
    right = modes > 0
    return found | {
        "modes/kept": float((modes >= _KEPT).sum() / max(right.sum(), 1)),
        "modes/effective": float(np.nanmean([exact_effective_modes(row) for row in modes])),
        "fork": float(np.mean(judged.fork)),
        "followed": float(np.mean(judged.followed)),
    }
