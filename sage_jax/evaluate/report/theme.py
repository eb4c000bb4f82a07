"""The look shared by all plots: light and dark surfaces, one colour per arm, direct labels."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter
from PIL import Image

from sage_jax.files import write_atomically
from sage_jax.paths import as_path

DPI = 200
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_DASHES = ((0, ()), (0, (5, 2)), (0, (1.5, 1.5)))


@dataclass(frozen=True)
class Theme:
    """Colours of a surface and of what is drawn on it.

    The arm colours start from those of Okabe and Ito (2008) and, with the base's grey, stay apart
    (CIE76 distance 12 or more) for readers with protanopia, deuteranopia and tritanopia; the dark
    surface takes lighter tints.
    """

    surface: str
    ink: str
    muted: str
    grid: str
    base: str
    arms: tuple[str, ...]


LIGHT = Theme(
    surface="#ffffff",
    ink="#1f2328",
    muted="#656d76",
    grid="#e4e7eb",
    base="#6e7781",
    arms=("#0072b2", "#d55e00", "#009e73", "#8a1c7c", "#643f26", "#b82500", "#8705e6"),
)
DARK = Theme(
    surface="#171b22",
    ink="#e6eaf0",
    muted="#9aa4b2",
    grid="#2b323d",
    base="#a3adba",
    arms=("#52abe6", "#ff8b4a", "#35c99b", "#ff5fd2", "#f8e7a5", "#f25f6d", "#af3cff"),
)


@dataclass(frozen=True)
class Style:
    """How one arm is drawn, in every plot."""

    color: str
    marker: str
    dash: tuple[float, tuple[float, ...]]


def styles(names: Sequence[str], theme: Theme, *, bases: Sequence[str] = ()) -> dict[str, Style]:
    """One style per arm, by position; `bases` are grey and dashed.

    Colours repeat after seven arms, with another dash.
    """
    chosen = {name: Style(theme.base, "o", (0, (4, 2))) for name in bases}
    for place, name in enumerate(names):
        lap, hue = divmod(place, len(theme.arms))
        dash = _DASHES[lap % len(_DASHES)]
        chosen[name] = Style(theme.arms[hue], _MARKERS[hue % len(_MARKERS)], dash)
    return chosen


def new_figure(theme: Theme, width: float, height: float) -> Figure:
    """An empty figure on the theme's surface, in inches, drawn without any global state."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=theme.surface)
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.11, h_pad=0.11))
    FigureCanvasAgg(figure)
    return figure


def short(name: str, most: int = 20) -> str:
    """A long name without its middle, so that labels leave room for what they label.

    >>> short("a_rather_long_name_with_seed_1")
    'a_rather_…ith_seed_1'
    """
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"


def dress(axes: Axes, theme: Theme, *, grid: str = "y") -> None:
    """Plain axes: hairline grid, no box, muted ticks."""
    axes.set_facecolor(theme.surface)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.muted)
        spine.set_linewidth(0.8)
    axes.grid(axis=grid, color=theme.grid, linewidth=0.8)  # pyright: ignore[reportArgumentType]
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.muted, labelsize=10, length=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(theme.muted)
        axis.label.set_fontsize(10.5)


def round_ticks(count: int, *, whole: bool = False) -> MaxNLocator:
    """Ticks at steps of 1, 2 or 5 times a power of ten, about `count` of them."""
    return MaxNLocator(count, steps=[1, 2, 5, 10], integer=whole)


def percent_ticks(axes: Axes, count: int, *, of: Literal["x", "y"] = "y") -> None:
    """Ticks of an axis as percentages, with decimals only where the steps need them."""
    axis = axes.yaxis if of == "y" else axes.xaxis
    axis.set_major_locator(round_ticks(count))
    ticks = axis.get_majorticklocs()
    decimals = 0 if len(ticks) < 2 or ticks[1] - ticks[0] > 0.0099 else 1
    axis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))


def log2_ticks(axes: Axes, ks: Sequence[int]) -> None:
    """An axis of k in powers of two, at most eight of them told."""
    axes.set_xscale("log", base=2)
    stride = -(-len(ks) // 8)
    axes.xaxis.set_major_locator(FixedLocator(ks[::stride]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("k, samples per problem")


def heading(axes: Axes, theme: Theme, title: str, note: str = "") -> None:
    """Title and a muted line below it, flush with the left end of the axes."""
    lines = [
        (title, 14, "bold", theme.ink, 27 if note else 12),
        (note, 10, "normal", theme.muted, 9),
    ]
    for text, size, weight, color, lift in lines:
        axes.annotate(
            text,
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(0, lift),
            textcoords="offset points",
            fontsize=size,
            fontweight=weight,
            color=color,
        )


def panel_title(axes: Axes, text: str, color: str) -> None:
    """What one of several panels shows, above it."""
    axes.set_title(text, loc="left", fontsize=11, fontweight="bold", color=color, parse_math=False)


def legend(figure: Figure, theme: Theme, title: str, entries: Mapping[str, Style]) -> None:
    """Title with a row of arm names below it, flush left above all panels."""
    handles = [Line2D([], [], color=e.color, linestyle=e.dash, lw=3) for e in entries.values()]
    box = figure.legend(
        handles,
        [short(name) for name in entries],
        loc="outside upper left",
        ncols=min(4 if len(entries) < 5 else 3, len(entries)),
        title=title,
        alignment="left",
        title_fontproperties={"size": 14, "weight": "bold"},
        frameon=False,
        fontsize=11,
        handlelength=1.8,
        columnspacing=1.6,
        borderpad=0.2,
    )
    box.get_title().set_color(theme.ink)
    for text, entry in zip(box.get_texts(), entries.values(), strict=True):
        text.set_parse_math(False)
        text.set_color(entry.color)


def shard(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Label positions as near as may be to `wanted`, at least `gap` apart, inside low..high.

    >>> shard([0.5, 0.5], 0.2, 0.0, 1.0).round(3).tolist()
    [0.4, 0.6]
    """
    order = np.argsort(wanted, kind="stable")
    gap = min(gap, (high - low) / max(1, len(order) - 1))
    # Removing the gaps turns "at least gap apart" into "not decreasing", where averaging
    # neighbours that violate it gives the closest positions (isotonic regression).
    blocks: list[list[float]] = []
    for rank, place in enumerate(order):
        blocks.append([wanted[place] - rank * gap, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size = blocks.pop()
            blocks[-1][0] = (blocks[-1][0] * blocks[-1][1] + mean * size) / (blocks[-1][1] + size)
            blocks[-1][1] += size
    flat = np.concatenate([np.full(int(size), mean) for mean, size in blocks])
    flat = np.clip(flat, low, high - gap * (len(order) - 1))
    positions = np.empty(len(order))
    positions[order] = flat + gap * np.arange(len(order))
    return positions


def label_ends(axes: Axes, ends: Mapping[str, tuple[float, str]], *, size: float = 11) -> None:
    """Names at the right of the axes, at the heights of their lines' ends, in their colours.

    Args:
        axes: with its limits set.
        ends: {name: (y in data units, colour)}.
        size: of the letters, in points.
    """
    low, high = axes.get_ylim()
    tall = axes.get_window_extent().height * 72 / DPI * 0.9
    heights = [(value - low) / (high - low) for value, _ in ends.values()]
    places = shard(heights, 1.35 * size / tall, 0.0, 0.97)
    for (name, (_, color)), place in zip(ends.items(), places, strict=True):
        axes.text(
            1.02,
            place,
            short(name),
            transform=axes.transAxes,
            color=color,
            fontsize=size,
            fontweight="bold",
            va="center",
            ha="left",
            parse_math=False,
        )


def png(figure: Figure) -> bytes:
    """The figure as PNG, without a date or version inside, so equal figures give equal bytes.

    Colours are reduced to a palette of 256, which the eye cannot tell from the full image and
    which is a third of its size: reports carry all images inside.
    """
    raw, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", metadata={"Software": None})
    picture = Image.open(raw).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(packed, format="png")
    return packed.getvalue()


def save(figure: Figure, path: str | Path) -> None:
    """Writes the figure as a PNG file, whole or not at all."""
    write_atomically(as_path(path), png(figure))
