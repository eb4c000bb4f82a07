"""The study's pictures: every arm on the plane of (pass@1, pass@k), and pass@k over k."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from sage_jax.evaluate.report.theme import (
    LIGHT,
    Style,
    Theme,
    dress,
    heading,
    legend,
    log2_ticks,
    new_figure,
    percent_ticks,
    save,
    styles,
)
from studies.figures import KS
from studies.frontier import Interval, Row, by_pair, interval

LINES = ("k3", "exact", "branch", "gated, ref", "gate on k2", "PKPO 4, gate on k2")
"""Arms drawn as lines over their coefficients; all others as points, where they are not few."""
NO_KL = ("no KL", "no_kl")  # In the laboratory, and in the runs of the real model.
_FEW = 8
_FEWEST = 3  # Warm-starts; the interval of two is as wide as the picture.


def named(rows: Iterable[Row]) -> list[str]:
    """The arms that pictures name: `LINES`, or all where they are few."""
    arms = _arms(rows)
    others = [arm for arm in arms if arm not in LINES] if len(arms) <= _FEW else []
    return [arm for arm in LINES if arm in arms] + others


def frontier(rows: Sequence[Row], path: Path, *, theme: Theme = LIGHT) -> None:
    """Two panels, pass@16 and pass@64 against pass@1: means over pairs.

    They show what the lines and the base models cover, and say how many other points lie outside.
    Of few arms all are lines. Crosses of lines: 95% intervals over warm-starts, of three or more.
    """
    figure = new_figure(theme, 11.5, 5.2)
    lines = named(rows)
    drawn = styles(lines, theme, bases=["base"])
    panels = figure.subplots(1, 2)
    for axes, k in zip(panels, (16, 64), strict=True):
        dress(axes, theme, grid="both")
        for arm in _arms(rows):
            points = _means(rows, arm, f"pass@{k}")
            if arm in drawn:
                _line(axes, points, drawn[arm])
                _crosses(axes, rows, arm, f"pass@{k}", color=drawn[arm].color)
            else:
                axes.plot(*zip(*points, strict=True), ".", color=theme.muted, alpha=0.5, ms=5)
        for x, y in _means(rows, "base", f"pass@{k}"):
            axes.plot(x, y, "*", color=theme.ink, ms=13)
            axes.annotate("base", (x, y), (6, -12), textcoords="offset points", color=theme.ink)
        outside = _crop(axes, [*lines, "base"], rows, f"pass@{k}")
        axes.set_xlabel("pass@1" + (f" (outside: {outside} of the dots)" if outside else ""))
        percent_ticks(axes, 6, of="x")
        percent_ticks(axes, 6)
        heading(axes, theme, f"pass@{k}")
    legend(figure, theme, "Up and to the right is better", {a: drawn[a] for a in lines})
    save(figure, path)


def pass_at_k(
    rows: Sequence[Row], coefs: Mapping[str, float], path: Path, *, theme: Theme = LIGHT
) -> None:
    """pass@k over k of the base model and of arms, each at a coefficient: means over pairs.

    An arm has the color that it has in `frontier`. Bands: 95% intervals over warm-starts, of three
    or more.
    """
    figure = new_figure(theme, 7.0, 5.2)
    drawn = styles(list(dict.fromkeys([*named(rows), *coefs])), theme, bases=["base"])
    axes = figure.subplots()
    dress(axes, theme, grid="both")
    ks = [k for k in KS if f"pass@{k}" in rows[0]]
    log2_ticks(axes, ks)
    shown = {"base": 0.0, **coefs}
    for arm, coef in shown.items():
        own = [row for row in rows if row["arm"] == arm and row["kl_coef"] == coef]
        found = [_interval(own, f"pass@{k}") for k in ks]
        _line(axes, [(k, one.mean) for k, one in zip(ks, found, strict=True)], drawn[arm])
        if found[0].count >= _FEWEST:
            low, high = ([one.mean + sign * one.half for one in found] for sign in (-1, 1))
            axes.fill_between(ks, low, high, color=drawn[arm].color, alpha=0.12, lw=0)
    percent_ticks(axes, 6)
    heading(axes, theme, "pass@k")
    keys = {f"{arm} {coef:g}" if coef else arm: drawn[arm] for arm, coef in shown.items()}
    legend(figure, theme, "Right at least once in k samples", keys)
    save(figure, path)


def _arms(rows: Iterable[Row]) -> list[str]:
    """But for the base models, in their order."""
    return list(dict.fromkeys(row["arm"] for row in rows if row["arm"] != "base"))


def _by_coef(rows: Iterable[Row], arm: str) -> list[list[Row]]:
    by_coef: dict[float, list[Row]] = {}
    for row in rows:
        if row["arm"] == arm:
            by_coef.setdefault(row["kl_coef"], []).append(row)
    return [own for _, own in sorted(by_coef.items())]


def _means(rows: Iterable[Row], arm: str, metric: str) -> list[tuple[float, float]]:
    return [
        (float(np.mean([r["pass@1"] for r in own])), float(np.mean([r[metric] for r in own])))
        for own in _by_coef(rows, arm)
    ]


def _interval(rows: Iterable[Row], metric: str) -> Interval:
    return interval({pair: row[metric] for pair, row in by_pair(rows).items()})


def _crosses(axes: Axes, rows: Iterable[Row], arm: str, metric: str, *, color: str) -> None:
    for own in _by_coef(rows, arm):
        x, y = (_interval(own, name) for name in ("pass@1", metric))
        if x.count >= _FEWEST:
            look = {"ecolor": color, "elinewidth": 1.0, "alpha": 0.45, "zorder": 1}
            axes.errorbar(x.mean, y.mean, xerr=x.half, yerr=y.half, fmt="none", **look)


def _crop(axes: Axes, shown: Sequence[str], rows: Sequence[Row], metric: str) -> int:
    """Limit axes to the points of some arms, and count those of all that lie outside."""
    points = np.array([point for arm in shown for point in _means(rows, arm, metric)])
    every = np.array([p for arm in {row["arm"] for row in rows} for p in _means(rows, arm, metric)])
    margin = 0.06 * (points.max(0) - points.min(0))
    low, high = points.min(0) - margin, points.max(0) + margin
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    return int(((every < low) | (every > high)).any(1).sum())


def _line(axes: Axes, points: Sequence[tuple[float, float]], style: Style) -> None:
    xs, ys = zip(*points, strict=True)
    look = {"color": style.color, "linestyle": style.dash, "marker": style.marker}
    axes.plot(xs, ys, lw=2.2, ms=6, **look)
