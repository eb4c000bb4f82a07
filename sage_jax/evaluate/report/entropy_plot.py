"""The picture of entropies: their histogram, and their mean at each position."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from sage_jax.evaluate.branching import Branching
from sage_jax.evaluate.report.theme import LIGHT, Theme, dress, heading, new_figure, round_ticks

_TICKS = (0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)


def plot_entropies(found: Branching, *, theme: Theme = LIGHT) -> Figure:
    """Histogram of the reference's entropies, and their mean by position in the completion.

    Args:
        found: the threshold is drawn where there is one, and tokens above it in another colour.
        theme: LIGHT or DARK.
    """
    figure = new_figure(theme, 8.3, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _histogram(left, found, theme)
    _positions(right, found, theme)
    heading(left, theme, f"Where {found.task} branches", "tokens by the reference's entropy")
    heading(right, theme, "", "mean entropy by position")
    return figure


def _histogram(axes: Axes, found: Branching, theme: Theme) -> None:
    dress(axes, theme)
    edges, shares = found.edges, found.shares
    threshold, above = found.cut or (np.inf, 0.0)
    middles = (edges[:-1] + edges[1:]) / 2
    colors = [theme.arms[1] if x >= threshold else theme.arms[0] for x in middles]
    axes.bar(edges[:-1], shares, width=0.92 * edges[1], align="edge", color=colors)
    # Roots, so that few tokens are seen beside many.
    axes.set_yscale("function", functions=(np.sqrt, np.square))
    axes.set_xlim(0, edges[-1])
    axes.set_ylim(0, 1.1 * shares.max())
    axes.yaxis.set_major_locator(FixedLocator([t for t in _TICKS if t <= 1.1 * shares.max()]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("entropy of the next token, nats")
    axes.set_ylabel("share of tokens, root scale")
    if found.cut is None:
        _say(axes, 0.97, "right", "no valley:\nnothing for a gate to go by", theme)
        return
    axes.axvline(threshold, color=theme.ink, linestyle=(0, (4, 2)), linewidth=1.2)
    note = f"{threshold:.2f} nats,\n{above:.1%} above"
    room = threshold / axes.get_xlim()[1]
    left = room < 0.65
    _say(axes, room + (0.015 if left else -0.015), "left" if left else "right", note, theme)


def _positions(axes: Axes, found: Branching, theme: Theme) -> None:
    dress(axes, theme)
    means = found.positions
    marker = "o" if len(means) <= 32 else ""
    axes.plot(
        range(1, len(means) + 1), means, color=theme.arms[0], marker=marker, markersize=5, lw=1.8
    )
    if found.cut is not None:
        axes.axhline(found.cut[0], color=theme.ink, linestyle=(0, (4, 2)), linewidth=1.2)
    axes.set_ylim(0, None)
    axes.xaxis.set_major_locator(round_ticks(6, whole=True))
    axes.set_xlabel("token of the completion")
    axes.set_ylabel("nats")


def _say(axes: Axes, place: float, side: str, text: str, theme: Theme) -> None:
    axes.text(
        place, 0.97, text, transform=axes.transAxes, ha=side, va="top", color=theme.ink, fontsize=10
    )
