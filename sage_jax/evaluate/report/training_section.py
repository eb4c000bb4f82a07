"""The part of the report that shows how training went."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from sage_jax.evaluate.report.curves import plot_training, recorded
from sage_jax.evaluate.report.drawn import add_picture
from sage_jax.evaluate.report.page import Html, section
from sage_jax.evaluate.report.plots import plot_history
from sage_jax.evaluate.report.trend_plots import plot_positions, plot_q
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.runs import Run
from sage_jax.evaluate.trends import Trends

_HISTORY = {"alt": "pass@1 and pass@k on held-out problems against the training step"}
_TRAINING = {
    "alt": "training curves: reward, entropy, KL, guide, length",
    "caption": "Thin: each step. Thick: running mean. Shaded: smallest to largest q.",
}
_Q = {
    "alt": "share of tokens at each q of the guide, against the training step",
    "caption": "Of the completions in samples/, a column a step at which some were written. At 1 "
    "the anchor is as it was; where all is there, the guide does nothing.",
}
_POSITIONS = {
    "alt": "KL to the reference and entropy of the policy against the position of the token",
    "caption": "Means over the completions in samples/ of the last quarter of the steps; KL is "
    "k3's estimate. A peak is where the policy has moved, or is unsure.",
}


def _history(run: Run) -> list[EvalResult]:
    """Evaluations of a run over its steps, those on the same problems only."""
    if not run.history:
        return []
    ids = set(run.history[-1].ids)
    points = [run.base, *run.history, run.final]
    kept = {r.step: r for r in points if r is not None and set(r.ids) == ids}
    return [kept[step] for step in sorted(kept)]


def training_section(
    folder: Path, runs: Sequence[Run], trends: Mapping[str, Trends], order: Sequence[str]
) -> Html:
    """Held-out figures over training, training curves, and what stored tokens show together.

    Args:
        folder: of the report.
        runs: in their order.
        trends: of each run.
        order: all arms of the report, so that colours agree with its other plots.
    """
    histories = {run.name: points for run in runs if len(points := _history(run)) > 1}
    metrics = {run.name: run.metrics for run in runs if recorded(run.metrics)}
    figures = []

    def draw(name: str, plot: Callable[..., Figure], data: Mapping, **said: str) -> None:
        made = functools.partial(plot, data, order=order)
        figures.append(
            add_picture(folder, name, lambda theme: made(theme=theme), wide=True, **said)
        )

    if histories:
        draw("history", plot_history, histories, **_HISTORY)
    if metrics:
        draw("training", plot_training, metrics, **_TRAINING)
    if any(own.q for own in trends.values()):
        draw("q", plot_q, trends, **_Q)
    if any(own.kl or own.entropy for own in trends.values()):
        draw("positions", plot_positions, trends, **_POSITIONS)
    return section("Training", *figures) if figures else Html("")
