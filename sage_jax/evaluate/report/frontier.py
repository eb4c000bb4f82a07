"""The plot of pass@1 against pass@k: what an arm gains at the first try, and what it gives up."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sage_jax.evaluate.passk import ladder
from sage_jax.evaluate.report.labels import label_points
from sage_jax.evaluate.report.plots import describe
from sage_jax.evaluate.report.theme import (
    LIGHT,
    Theme,
    dress,
    heading,
    new_figure,
    percent_ticks,
    styles,
)
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.runs import Run

_LARGEST_K = 16  # Beyond it small tasks are solved by every model, and nothing is told apart.


def families(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """Names of runs that differ in `loss.kl_coef` alone, by that coefficient; two or more each."""
    found: dict[str, list[tuple[float, str]]] = {}
    for run in runs:
        loss = dict(run.config.get("loss") or {})
        coefficient = loss.pop("kl_coef", None)
        if isinstance(coefficient, int | float):
            rest = {k: v for k, v in run.config.items() if k != "name"} | {"loss": loss}
            key = json.dumps(rest, sort_keys=True, default=str)
            found.setdefault(key, []).append((float(coefficient), run.name))
    return [tuple(name for _, name in sorted(same)) for same in found.values() if len(same) > 1]


def plot_frontier(
    results: Mapping[str, EvalResult],
    *,
    bases: Sequence[str] = ("base",),
    joined: Sequence[Sequence[str]] = (),
    theme: Theme = LIGHT,
    order: Sequence[str] = (),
) -> Figure:
    """pass@1 against pass@16 (or the largest k that all have): one point a model.

    Args:
        results: {name: result} on the same problems.
        bases: which names are models before training; thin lines show what lies above them.
        joined: names to join by a line, see `families`.
        theme: LIGHT or DARK.
        order: all arms of the report, as in `plots.plot_pass_at_k`.

    Raises:
        ValueError: there is nothing to draw, or some have a single sample of each problem.
    """
    k = min((min(r.largest_k, _LARGEST_K) for r in results.values()), default=0)
    if k < 2:
        raise ValueError("results must hold evaluations of 2 samples or more to plot")
    k = ladder(k)[-1]
    present = [name for name in bases if name in results]
    chosen = styles([name for name in order or results if name not in present], theme, bases=bases)
    points = {name: result.pass_table((1, k)).mean(axis=0) for name, result in results.items()}
    lines = [np.array([points[name] for name in names if name in points]) for names in joined]
    figure = new_figure(theme, 8.3, 5.2)
    axes = figure.add_subplot()
    _surface(axes, k, np.array([*points.values()]), theme)
    crosses = [one for name in present for one in _cross(axes, points[name], theme)]
    for line in lines:
        axes.plot(*line.T, color=theme.muted, linewidth=1.6, zorder=2)
    for name, (x, y) in points.items():
        axes.plot(x, y, chosen[name].marker, color=chosen[name].color, markersize=10, zorder=3)
    first = next(iter(results.values()))
    note = f"{describe(first)} · one run an arm"
    if lines:
        note += " · line: arms that differ in kl_coef alone"
    heading(axes, theme, f"Solved at the first try, and within {k}", note)
    named = {name: (x, y, chosen[name].color) for name, (x, y) in points.items()}
    label_points(axes, named, lines=[*lines, *crosses])
    return figure


def _cross(axes: Axes, point: np.ndarray, theme: Theme) -> list[np.ndarray]:
    """Thin lines through a point, from one end of the axes to the other."""
    (left, right), (low, high), (x, y) = axes.get_xlim(), axes.get_ylim(), point
    lines = [np.array([(x, low), (x, high)]), np.array([(left, y), (right, y)])]
    for line in lines:
        axes.plot(*line.T, color=theme.base, linestyle=(0, (2, 3)), linewidth=1, zorder=1)
    return lines


def _surface(axes: Axes, k: int, points: np.ndarray, theme: Theme) -> None:
    """Axes with room for names around the points."""
    dress(axes, theme, grid="both")
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.maximum(high - low, 0.02) * 0.12
    axes.set_xlim(low[0] - room[0], high[0] + room[0])
    axes.set_ylim(low[1] - room[1], high[1] + room[1])
    percent_ticks(axes, 8)
    percent_ticks(axes, 8, of="x")
    axes.set_xlabel("pass@1")
    axes.set_ylabel(f"pass@{k}")
