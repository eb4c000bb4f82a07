"""Where the reference branches, as it is drawn and as `entropies.json` holds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sage_jax.evaluate.entropies import Proposal, bins
from sage_jax.evaluate.result_json import read_content
from sage_jax.files import ResultError

_BINS = 40


@dataclass(frozen=True)
class Branching:
    """What is shown of a model's entropies.

    Attributes:
        task: what was sampled.
        edges: of the histogram's bins, in nats.
        shares: of the tokens in each bin.
        positions: mean entropy at each token of a completion.
        cut: the threshold that is proposed, in nats, and the share of tokens above it; or None.
    """

    task: str
    edges: np.ndarray
    shares: np.ndarray
    positions: np.ndarray
    cut: tuple[float, float] | None

    @classmethod
    def of(
        cls,
        entropies: np.ndarray,
        proposal: Proposal,
        positions: Sequence[tuple[float, int]],
        *,
        task: str,
    ) -> "Branching":
        """What is shown of entropies in nats, with `propose` and `by_position` of them."""
        valley = proposal.valley
        cut = None if valley is None else (valley.threshold, valley.share)
        means = np.array([mean for mean, _ in positions])
        return cls(task, *bins(entropies, most=_BINS), means, cut)

    @classmethod
    def load(cls, path: Path) -> "Branching":
        """Read `entropies.json`.

        Raises:
            ResultError: it is missing, or does not hold that.
        """
        content = read_content(path)
        try:
            return cls._of_json(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ResultError(
                f"{path}: not as `sage-jax entropies` writes it ({error!r})"
            ) from error

    @classmethod
    def _of_json(cls, content: dict[str, Any]) -> "Branching":
        histogram, valley = content["histogram"], content["valley"]
        edges, shares = (np.array(histogram[name], np.float64) for name in ("edges", "shares"))
        positions = np.array([one["mean"] for one in content["positions"]], np.float64)
        cut = None if valley is None else (float(valley["threshold"]), float(valley["share"]))
        numbers = [*edges, *shares, *positions, *(cut or ())]
        if (
            edges.shape != (len(shares) + 1,)
            or not positions.size
            or not np.isfinite(numbers).all()
        ):
            raise ValueError("edges, shares and positions do not fit")
        return cls(str(content["task"]), edges, shares, positions, cut)
