"""Plots of stored tokens: how often each q over training, KL and entropy by position."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from sage_jax.evaluate.report.theme import (
    LIGHT,
    Style,
    Theme,
    dress,
    legend,
    new_figure,
    panel_title,
    round_ticks,
    short,
    styles,
)
from sage_jax.evaluate.trends import PER_OCTAVE, Q_EDGES, Curve, Trends

_TICKS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 2.0, 4.0, 8.0, 16.0)
_APART = 0.055  # Of an axis, between two ticks that are told.


def plot_q(
    trends: Mapping[str, Trends], *, theme: Theme = LIGHT, order: Sequence[str] = ()
) -> Figure:
    """How often each q is among the stored tokens, over training: a panel an arm.

    Args:
        trends: {arm: its trends}; those without a guide are left out.
        theme: LIGHT or DARK.
        order: all arms of the report, as in `plots.plot_pass_at_k`.

    Raises:
        ValueError: no arm has a q.
    """
    guided = {name: own.q for name, own in trends.items() if own.q}
    if not guided:
        raise ValueError("trends must hold at least one arm with a guide to plot")
    chosen = styles(list(order) or list(trends), theme)
    edges = _edges([share for own in guided.values() for share in own.values()])
    rows = -(-len(guided) // 2)
    figure = new_figure(theme, 8.3, 0.7 + 2.6 * rows)
    panels = [*figure.subplots(rows, min(2, len(guided)), squeeze=False, sharey=True).flat]
    for axes, (name, own) in zip(panels, guided.items(), strict=False):
        dress(axes, theme)
        mesh = _q_panel(axes, own, edges, theme)
        panel_title(axes, short(name, 34), chosen[name].color)
    for axes in panels[len(guided) :]:
        axes.set_visible(False)
    _share_bar(figure, mesh, theme)
    figure.suptitle(
        "Guide q of tokens, over training", x=0.01, ha="left", color=theme.ink,
        fontsize=14, fontweight="bold",
    )  # fmt: skip
    return figure


def _q_panel(
    axes: Axes, own: Mapping[int, np.ndarray], edges: np.ndarray, theme: Theme
) -> QuadMesh:
    """Shares of tokens at each step and q, the darker the more of them."""
    scale = PowerNorm(0.4, 0, 1)  # A token in a hundred is to be seen.
    colors = LinearSegmentedColormap.from_list("share", [theme.surface, theme.ink])
    mesh = axes.pcolormesh(*_grid(own, edges), norm=scale, cmap=colors, rasterized=True)
    _q_axis(axes, edges)
    axes.xaxis.set_major_locator(round_ticks(6, whole=True))
    axes.set_xlabel("training step")
    return mesh


def _share_bar(figure: Figure, mesh: QuadMesh, theme: Theme) -> None:
    bar = figure.colorbar(mesh, ax=figure.axes, format=PercentFormatter(1.0, decimals=0), pad=0.02)
    bar.set_ticks([0.01, 0.1, 0.3, 1.0])
    bar.ax.tick_params(colors=theme.muted, labelsize=10, length=0)
    bar.set_label("tokens", color=theme.muted, fontsize=10.5)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]


def _edges(shares: Sequence[np.ndarray]) -> np.ndarray:
    """Edges of the bins that hold anything, at least half an octave of them."""
    filled = np.flatnonzero(np.sum(shares, axis=0))
    middle, least = (filled[0] + filled[-1]) // 2, PER_OCTAVE // 4
    first = max(min(filled[0] - 3, middle - least), 0)
    last = min(max(filled[-1] + 3, middle + least), len(Q_EDGES) - 2)
    return Q_EDGES[first : last + 2]


def _grid(
    own: Mapping[int, np.ndarray], edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges of steps and of q, and [Q, S] shares, as `pcolormesh` takes them."""
    steps = np.array(sorted(own), np.float64)
    middles = (steps[1:] + steps[:-1]) / 2
    columns = np.concatenate([[steps[0] - 0.5], middles, [steps[-1] + 0.5]])
    first = int(np.searchsorted(Q_EDGES, edges[0]))
    shares = np.stack([own[int(step)][first : first + len(edges) - 1] for step in steps], axis=1)
    return columns, edges, shares


def _q_axis(axes: Axes, edges: np.ndarray) -> None:
    axes.set_yscale("log", base=2)
    axes.set_ylim(edges[0], edges[-1])
    told: list[float] = []
    reach = np.log(edges[-1] / edges[0])
    for tick in sorted(_TICKS, key=lambda q: abs(np.log(q))):  # 1 first, then what is near to it.
        free = all(abs(np.log(tick / other)) > _APART * reach for other in told)
        if edges[0] <= tick <= edges[-1] and free:
            told.append(tick)
    axes.yaxis.set_major_locator(FixedLocator(sorted(told)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def plot_positions(
    trends: Mapping[str, Trends], *, theme: Theme = LIGHT, order: Sequence[str] = ()
) -> Figure:
    """KL to the reference and entropy by token position, a line an arm.

    Args:
        trends: {arm: its trends}.
        theme: LIGHT or DARK.
        order: all arms of the report, as in `plots.plot_pass_at_k`.

    Raises:
        ValueError: no arm has either.
    """
    panels = {
        "KL to the reference (nats a token)": {n: t.kl for n, t in trends.items() if t.kl},
        "entropy of the policy (nats)": {n: t.entropy for n, t in trends.items() if t.entropy},
    }
    panels = {title: curves for title, curves in panels.items() if curves}
    if not panels:
        raise ValueError("trends must hold at least one arm with figures of tokens to plot")
    chosen = styles(list(order) or list(trends), theme)
    figure = new_figure(theme, 8.3, 3.9)
    for place, (title, curves) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), place)
        dress(axes, theme)
        for name, curve in curves.items():
            _line(axes, curve, chosen[name])
        panel_title(axes, title, theme.ink)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(round_ticks(6, whole=True))
        axes.set_xlabel("token of the completion")
    named = {name: chosen[name] for name in trends if any(name in own for own in panels.values())}
    legend(figure, theme, "Along a completion", named)
    return figure


def _line(axes: Axes, curve: Curve, style: Style) -> None:
    marker = "o" if len(curve.means) == 1 else None
    axes.plot(
        curve.positions, curve.means, color=style.color, linestyle=style.dash, linewidth=1.9,
        marker=marker,
    )  # fmt: skip
