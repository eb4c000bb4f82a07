"""The part of the report that shows how training went."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sage_jax.evaluate.curves import plot_training, recorded
from sage_jax.evaluate.drawn import add_picture
from sage_jax.evaluate.page import Html, section
from sage_jax.evaluate.plots import plot_history
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.runs import Run
from sage_jax.evaluate.trend_plots import plot_positions, plot_q
from sage_jax.evaluate.trends import Trends


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
    figures = []
    histories = {run.name: points for run in runs if len(points := _history(run)) > 1}
    if histories:
        figures.append(
            add_picture(
                folder,
                "history",
                lambda theme: plot_history(histories, theme=theme, order=order),
                alt="pass@1 and pass@k on held-out problems against the training step",
                wide=True,
            )
        )
    metrics = {run.name: run.metrics for run in runs if recorded(run.metrics)}
    if metrics:
        figures.append(
            add_picture(
                folder,
                "training",
                lambda theme: plot_training(metrics, theme=theme, order=order),
                alt="training curves: reward, entropy, KL, guide, length",
                caption="Thin: each step. Thick: running mean. Shaded: smallest to largest q.",
                wide=True,
            )
        )
    figures += _trend_figures(folder, trends, order)
    return section("Training", *figures) if figures else Html("")


def _trend_figures(folder: Path, trends: Mapping[str, Trends], order: Sequence[str]) -> list[Html]:
    """Of the tokens of stored completions, as far as runs have them."""
    found = []
    if any(own.q for own in trends.values()):
        found.append(_q_picture(folder, trends, order))
    if any(own.kl or own.entropy for own in trends.values()):
        found.append(_positions_picture(folder, trends, order))
    return found


def _q_picture(folder: Path, trends: Mapping[str, Trends], order: Sequence[str]) -> Html:
    return add_picture(
        folder,
        "q",
        lambda theme: plot_q(trends, theme=theme, order=order),
        alt="share of tokens at each q of the guide, against the training step",
        caption="Of the completions in samples/, a column a step at which some were written. At 1 "
        "the anchor is as it was; where all is there, the guide does nothing.",
        wide=True,
    )


def _positions_picture(folder: Path, trends: Mapping[str, Trends], order: Sequence[str]) -> Html:
    return add_picture(
        folder,
        "positions",
        lambda theme: plot_positions(trends, theme=theme, order=order),
        alt="KL to the reference and entropy of the policy against the position of the token",
        caption="Means over the completions in samples/ of the last quarter of the steps; KL is "
        "k3's estimate. A peak is where the policy has moved, or is unsure.",
        wide=True,
    )
