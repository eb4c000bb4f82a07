"""Names beside points, where they hide neither each other nor what is drawn."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from sage_jax.evaluate.report.theme import DPI, short

_NEAR, *_FAR = (8.0, 18.0, 30.0, 44.0)  # Points between a point and its name.
_SIDES = [(1, 0), (1, 1), (1, -1), (0, 1), (0, -1), (-1, 0), (-1, 1), (-1, -1)]
_MARKER, _LINE = 6.0, 2.0  # Half the width of a marker and of a line, in points.


def label_points(
    axes: Axes,
    points: Mapping[str, tuple[float, float, str]],
    *,
    lines: Sequence[np.ndarray] = (),
    size: float = 11,
) -> None:
    """Write each name near its point, in its colour; a name far from it gets a thin line to it.

    One after the other, each where it hides least of points, lines and names before it.

    Args:
        axes: with its limits set.
        points: {name: (x, y, colour)}, in data units.
        lines: [n, 2] each, vertices in data units, that names are to keep off.
        size: of the letters, in points.
    """
    figure: object = axes.figure
    figure.draw_without_rendering()  # pyright: ignore[reportAttributeAccessIssue]
    spots = axes.transData.transform([(x, y) for x, y, _ in points.values()])
    frame = np.array(axes.get_window_extent().extents)
    path = [_boxes(_along(axes, line), _LINE) for line in lines]
    taken = np.concatenate([_boxes(spots, _MARKER), *path])
    for (name, (x, y, color)), spot in zip(points.items(), spots, strict=True):
        text = axes.annotate(
            short(name), (x, y), (0, 0), textcoords="offset points", color=color, fontsize=size,
            fontweight="bold", ha="center", va="center", parse_math=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.9, "shrinkB": 4},
        )  # fmt: skip
        extent = Text.get_window_extent(text)  # Without its line.
        half = np.array([extent.width, extent.height]) / 2 + 2
        away, far = min(_places(half), key=lambda place: _cost(spot, half, place, taken, frame))
        text.set_position(tuple(away * 72 / DPI))
        if not far and text.arrow_patch is not None:
            text.arrow_patch.set_visible(False)
        taken = np.vstack([taken, _box(spot + away, half)])


def _places(half: np.ndarray) -> Iterator[tuple[np.ndarray, bool]]:
    """Offsets in pixels of a name's middle from its point, and whether that is far."""
    for gap in (_NEAR, *_FAR):
        for side in _SIDES:
            yield np.array(side) * (half + gap * DPI / 72), gap != _NEAR


def _cost(
    spot: np.ndarray,
    half: np.ndarray,
    place: tuple[np.ndarray, bool],
    taken: np.ndarray,
    frame: np.ndarray,
) -> float:
    """Pixels hidden, and those outside the axes, then the distance."""
    away, far = place
    own = _box(spot + away, half)
    lost = _shared(own, taken) + 4 * half.prod() - _shared(own, frame[None])
    if far:  # The thin line, but for its ends.
        thin = _boxes(spot + away * np.linspace(0.3, 0.7, 9)[:, None], 1.0)
        lost += sum(_shared(one, taken) for one in thin)
    return 10 * lost + float(np.linalg.norm(away))


def _along(axes: Axes, line: np.ndarray) -> np.ndarray:
    """Places along a line of segments, in pixels, no further apart than it is wide."""
    corners = axes.transData.transform(line)
    gone = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    steps = np.arange(0, gone[-1] + 1, _LINE * DPI / 72)
    return np.stack([np.interp(steps, gone, corners[:, axis]) for axis in (0, 1)], axis=1)


def _boxes(spots: np.ndarray, points: float) -> np.ndarray:
    """[n, 4] squares around places in pixels, half as wide as so many points."""
    return np.hstack([spots - points * DPI / 72, spots + points * DPI / 72])


def _box(middle: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(left, bottom, right, top)."""
    return np.concatenate([middle - half, middle + half])


def _shared(one: np.ndarray, others: np.ndarray) -> float:
    """Area that a box shares with others [n, 4]."""
    sides = np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2])
    return float(np.clip(sides, 0, None).prod(axis=1).sum())
