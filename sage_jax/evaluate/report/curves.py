"""Training curves: small multiples of what metrics.jsonl holds, one colour per arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sage_jax.evaluate.metrics import smooth, thin
from sage_jax.evaluate.report.theme import (
    LIGHT,
    Style,
    Theme,
    dress,
    legend,
    new_figure,
    panel_title,
    percent_ticks,
    round_ticks,
    styles,
)

# More vertices than this cannot be told apart at the plot's width.
_MOST_POINTS = 800


@dataclass(frozen=True)
class Panel:
    """One small plot: a metric, and perhaps two others that bound it."""

    title: str
    key: str
    low: str = ""
    high: str = ""
    percent: bool = False


PANELS = (
    Panel("reward", "reward"),
    Panel("pass@1 of the training batch", "pass@1", percent=True),
    Panel("entropy of the policy (nats)", "entropy"),
    Panel("KL to the reference", "kl/reference"),
    Panel("guide q: mean, with min to max", "q/mean", "q/min", "q/max"),
    Panel("tokens with q above 1", "q/above_one", percent=True),
    Panel("completion length (tokens)", "length/mean"),
    Panel("groups without signal", "groups/zero_variance", percent=True),
)

Metrics = Mapping[str, np.ndarray]


def _known(metrics: Metrics, key: str) -> bool:
    return key in metrics and bool(np.isfinite(metrics[key]).any())


def recorded(metrics: Metrics) -> list[Panel]:
    """The panels for which a run recorded at least one finite value."""
    return [panel for panel in PANELS if _known(metrics, panel.key)]


def _finite(values: np.ndarray) -> np.ndarray:
    """Infinities (a run that diverged) as gaps: an axis cannot hold them."""
    return thin(np.where(np.isfinite(values), values, np.nan), _MOST_POINTS)


def _line(axes: Axes, metrics: Metrics, panel: Panel, style: Style) -> None:
    steps, raw = _finite(metrics["step"]), _finite(metrics[panel.key])
    width = len(raw) / 50
    if panel.low and _known(metrics, panel.low) and _known(metrics, panel.high):
        low, high = (smooth(_finite(metrics[key]), width) for key in (panel.low, panel.high))
        axes.fill_between(steps, low, high, color=style.color, alpha=0.12, linewidth=0)
    else:
        axes.plot(steps, raw, color=style.color, alpha=0.2, linewidth=0.8)
    # A single step has no line: the marker keeps it visible.
    marker = "o" if np.isfinite(raw).sum() == 1 else None
    axes.plot(
        steps,
        smooth(raw, width),
        color=style.color,
        linestyle=style.dash,
        linewidth=1.9,
        marker=marker,
    )


def _draw(axes: Axes, panel: Panel, arms: Mapping[str, Metrics], chosen: Mapping, theme: Theme):
    dress(axes, theme)
    for name, metrics in arms.items():
        if _known(metrics, panel.key):
            _line(axes, metrics, panel, chosen[name])
    panel_title(axes, panel.title, theme.ink)
    axes.yaxis.set_major_locator(round_ticks(5))
    axes.xaxis.set_major_locator(round_ticks(6, whole=True))
    axes.margins(y=0.08)
    # One range for all panels: an arm without this metric still shows how far it trained.
    steps = np.concatenate([metrics["step"] for metrics in arms.values()])
    reach = 0.01 * (steps.max() - steps.min()) or 0.5
    axes.set_xlim(steps.min() - reach, steps.max() + reach)
    if panel.percent:
        low, high = axes.get_ylim()
        room = 0.02 * (high - low)
        axes.set_ylim(max(low, -room), min(high, 1 + room))
        percent_ticks(axes, 5)


def plot_training(
    arms: Mapping[str, Metrics], *, theme: Theme = LIGHT, order: Sequence[str] = ()
) -> Figure:
    """Training curves: a smoothed line over the faint raw values, a panel per metric.

    Reward, pass@1, entropy, KL, q (mean with its min-to-max band, and the share of tokens above
    one), completion length and groups without signal; metrics that no arm recorded are left out.

    Args:
        arms: {arm: columns of its metrics.jsonl}, from `read_metrics`.
        theme: LIGHT or DARK.
        order: all arms of the report, so that colours agree with its other plots; the arms
            themselves by default.

    Raises:
        ValueError: no arm recorded any of the metrics.
    """
    panels = [p for p in PANELS if any(p in recorded(metrics) for metrics in arms.values())]
    if not panels:
        raise ValueError("arms must hold at least one recorded training metric to plot")
    chosen = styles(list(order) or list(arms), theme)
    rows = -(-len(panels) // 2)
    figure = new_figure(theme, 8.3, 1.1 + 2.05 * rows)
    for place, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, 2, place)
        _draw(axes, panel, arms, chosen, theme)
        if place > len(panels) - 2:
            axes.set_xlabel("training step")
    legend(figure, theme, "Training curves", {name: chosen[name] for name in arms})
    return figure
