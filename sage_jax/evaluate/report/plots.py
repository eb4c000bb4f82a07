"""Plots of evaluation results: pass@k curves, pass@k over training, support expansion."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sage_jax.evaluate.bootstrap import Interval
from sage_jax.evaluate.passk import ladder
from sage_jax.evaluate.report.theme import (
    LIGHT,
    Style,
    Theme,
    dress,
    heading,
    label_ends,
    legend,
    log2_ticks,
    new_figure,
    percent_ticks,
    round_ticks,
    short,
    styles,
)
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.support import Support

_HISTORY_K = 64
_SOLVED = 0.95  # Beyond it curves run into one another.


def describe(result: EvalResult) -> str:
    """What was evaluated, for captions: problems, samples, temperature."""
    drawn = ", exact chances" if result.exact else f" × {result.samples} samples"
    return f"{len(result.problems)} problems{drawn}, temperature {result.temperature:g}"


def _limits(intervals: Sequence[Interval]) -> tuple[float, float]:
    low = min(interval.low for interval in intervals)
    high = max(interval.high for interval in intervals)
    margin = max(0.02, 0.06 * (high - low))
    return max(0.0, low - margin), min(1.0, high + margin)


def _band(
    axes: Axes,
    xs: Sequence[float],
    intervals: Sequence[Interval],
    style: Style,
    *,
    among: int,
    **options,
) -> None:
    """A line with its intervals as a band, fainter among many."""
    means = [interval.mean for interval in intervals]
    lows = [interval.low for interval in intervals]
    highs = [interval.high for interval in intervals]
    alpha = 0.13 if among < 6 else 0.05
    axes.fill_between(xs, lows, highs, color=style.color, alpha=alpha, linewidth=0)
    axes.plot(
        xs,
        means,
        color=style.color,
        linestyle=style.dash,
        marker=style.marker,
        markersize=5.5,
        linewidth=2.2,
        solid_capstyle="round",
        **options,
    )


def _ladders(results: Mapping[str, EvalResult]) -> dict[str, tuple[int, ...]]:
    """The k of each curve; exact ones end where the best model solves nearly everything."""
    ladders = {name: ladder(result.largest_k) for name, result in results.items()}
    if not all(result.exact for result in results.values()):
        return ladders
    best = np.max([r.pass_table(ladders[name]).mean(axis=0) for name, r in results.items()], axis=0)
    ks = next(iter(ladders.values()))
    last = next((k for k, mean in zip(ks, best, strict=True) if mean > _SOLVED and k > 1), ks[-1])
    return {name: tuple(k for k in ks if k <= last) for name in results}


def plot_pass_at_k(
    results: Mapping[str, EvalResult],
    *,
    bases: Sequence[str] = ("base",),
    theme: Theme = LIGHT,
    order: Sequence[str] = (),
) -> Figure:
    """pass@k against k (log2 axis) with 95% bootstrap bands over problems.

    Args:
        results: {name: result}, in drawing order; names in `bases` are grey and dashed.
        bases: which names are models before training.
        theme: LIGHT or DARK.
        order: all arms of the report, so that colours agree with its other plots; by default the
            names that are not bases.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not results:
        raise ValueError("results must hold at least one evaluation to plot")
    present = [name for name in bases if name in results]
    arms = [name for name in order or results if name not in present]
    chosen = styles(arms, theme, bases=present)
    figure = new_figure(theme, 8.3, 4.9)
    axes = figure.add_subplot()
    dress(axes, theme)
    ladders = _ladders(results)
    curves = {name: result.pass_intervals(ladders[name]) for name, result in results.items()}
    for name, curve in curves.items():
        _band(
            axes,
            ladders[name],
            curve,
            chosen[name],
            among=len(curves),
            zorder=2 if name in present else 3,
        )
    longest = max(ladders.values(), key=len)
    log2_ticks(axes, longest)
    axes.set_ylim(*_limits([interval for curve in curves.values() for interval in curve]))
    percent_ticks(axes, 8)
    label_ends(axes, {name: (c[-1].mean, chosen[name].color) for name, c in curves.items()})
    first = next(iter(results.values()))
    note = f"{describe(first)} · bands: 95% bootstrap intervals over problems"
    heading(axes, theme, "pass@k: share of problems solved within k samples", note)
    return figure


def _history_panel(axes: Axes, k: int, histories: Mapping, chosen: Mapping, theme: Theme) -> None:
    dress(axes, theme)
    curves = {
        name: [result.pass_intervals([k])[0] for result in results]
        for name, results in histories.items()
    }
    for name, results in histories.items():
        _band(
            axes, [result.step for result in results], curves[name], chosen[name], among=len(curves)
        )
    axes.set_ylim(*_limits([interval for curve in curves.values() for interval in curve]))
    percent_ticks(axes, 8)
    axes.set_title(f"pass@{k}", loc="left", fontsize=12, fontweight="bold", color=theme.ink)
    axes.xaxis.set_major_locator(round_ticks(5, whole=True))
    axes.set_xlabel("training step")


def plot_history(
    histories: Mapping[str, Sequence[EvalResult]],
    *,
    theme: Theme = LIGHT,
    order: Sequence[str] = (),
) -> Figure:
    """pass@1 and pass@k at the largest common k, on held-out problems, over training.

    Args:
        histories: {arm: evaluations by step}, the base model's first where there is one.
        theme: LIGHT or DARK.
        order: all arms of the report, as in `plot_pass_at_k`.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not histories or not all(histories.values()):
        raise ValueError("histories must hold at least one evaluation per arm")
    chosen = styles(list(order) or list(histories), theme)
    # Exact chances are known to a k at which most problems are solved by any model.
    smallest = min(r.samples or _HISTORY_K for results in histories.values() for r in results)
    ks = dict.fromkeys((1, ladder(smallest)[-1]))
    figure = new_figure(theme, 8.3, 3.9)
    for place, k in enumerate(ks, start=1):
        axes = figure.add_subplot(1, len(ks), place)
        _history_panel(axes, k, histories, chosen, theme)
    legend(figure, theme, "Held-out pass@k over training", {n: chosen[n] for n in histories})
    return figure


def _bar(
    axes: Axes, row: int, parts: Sequence[tuple[int, dict]], change: str, color: str, theme: Theme
) -> None:
    """One stacked bar, with the count of a part inside it where there is room."""
    start, total = 0, sum(count for count, _ in parts)
    for count, look in parts:
        axes.barh(row, count, left=start, height=0.6, linewidth=1.2, **look)
        if count > 0.12 * total and not look.get("hatch"):
            ink = theme.surface if look["facecolor"] == color else color
            axes.text(
                start + count / 2, row, str(count), ha="center", va="center", color=ink, fontsize=11
            )
        start += count
    axes.annotate(
        change,
        (total, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        color=color,
        fontsize=12,
        fontweight="bold",
    )


def _support_row(left: Axes, right: Axes, row: int, found: Support, color: str, theme: Theme):
    solid = {"facecolor": color, "edgecolor": color}
    hollow = {"facecolor": theme.surface, "edgecolor": color, "hatch": "////"}
    grey = {"facecolor": theme.grid, "edgecolor": theme.grid}
    kept, lost, gained, never = map(len, (found.kept, found.lost, found.gained, found.never))
    _bar(left, row, [(kept, solid), (lost, hollow)], f"−{lost} lost", color, theme)
    _bar(right, row, [(gained, solid), (never, grey)], f"+{gained} gained", color, theme)


def _support_panel(
    axes: Axes, names: Sequence[str], largest: int, room: float, theme: Theme
) -> None:
    """Axes for bars up to `largest`, with `room` times that width so that labels fit behind."""
    dress(axes, theme, grid="x")
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.tick_params(axis="y", labelsize=11, labelcolor=theme.ink)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, room * max(1, largest))
    ticks = round_ticks(4, whole=True).tick_values(0, max(1, largest))
    axes.set_xticks([tick for tick in ticks if 0 <= tick <= largest])
    axes.set_xlabel("problems")


def plot_support(
    supports: Mapping[str, Support], *, theme: Theme = LIGHT, order: Sequence[str] = ()
) -> Figure:
    """Problems kept and lost of those the base model solved; gained and never of those it did not.

    Args:
        supports: {arm: its support expansion against its base model}.
        theme: LIGHT or DARK.
        order: all arms of the report, as in `plot_pass_at_k`.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not supports:
        raise ValueError("supports must hold at least one arm to plot")
    chosen = styles(list(order) or list(supports), theme)
    figure = new_figure(theme, 8.3, 1.9 + 0.55 * len(supports))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for row, (name, found) in enumerate(supports.items()):
        _support_row(left, right, row, found, chosen[name].color, theme)
    solved = max(len(s.kept) + len(s.lost) for s in supports.values())
    unsolved = max(len(s.gained) + len(s.never) for s in supports.values())
    _support_panel(left, list(supports), solved, 1.3, theme)
    _support_panel(right, list(supports), unsolved, 1.6, theme)
    heading(left, theme, "Support expansion", "solved by the base: kept, lost (hatched)")
    heading(right, theme, "", "not solved by it: gained, never (grey)")
    return figure
