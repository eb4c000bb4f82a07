"""Arms against one another directly, at their own coefficients: no frontier, no interpolation."""

from collections.abc import Sequence

from studies import markdown
from studies.frontier import Row, by_pair, difference, starred

At = tuple[str, float]
"""An arm and its coefficient."""

CONTRASTS: tuple[tuple[At, At], ...] = (
    (("gated, ref", 0.2), ("k3", 0.2)),
    (("gated, ref", 0.2), ("k3", 0.1)),
    (("gated, ref", 0.2), ("exact", 0.2)),
    (("gated", 0.2), ("exact", 0.2)),
    (("gated", 0.1), ("gated, ref", 0.1)),
    (("gated, ref, in the clip", 0.1), ("k3", 0.1)),
    (("gate on k2", 0.2), ("k2", 0.2)),
    (("gate on k2", 0.4), ("k2", 0.2)),
    (("gate on k2", 0.4), ("exact", 0.2)),
    (("gate on k2, 1.5 nats", 0.4), ("exact", 0.2)),
    (("gate on k2, 1.5 nats", 0.4), ("gate on k2", 0.4)),
    (("gate on exact", 0.4), ("exact", 0.2)),
    (("gate on k2", 0.2), ("gated, ref", 0.2)),
    (("k3, at the opening", 0.2), ("gate on k3", 0.2)),
    (("k2", 0.2), ("k3", 0.2)),
    (("k2", 0.2), ("exact", 0.2)),
    (("branch", 0.1), ("k3", 0.1)),
    (("branch", 0.2), ("k3", 0.2)),
    (("branch, ref", 0.1), ("k3", 0.1)),
    (("token", 0.1), ("k3", 0.1)),
    (("random", 0.1), ("k3", 0.1)),
    (("PKPO 4", 0.0), ("k2", 0.2)),
    (("PKPO 4, gate on k2", 0.2), ("gate on k2", 0.4)),
)
_METRICS = ("pass@1", "pass@16", "pass@64", "modes/kept")


def table(rows: Sequence[Row]) -> str:
    """In Markdown: paired differences with intervals and stars, of those that were run, if any."""
    shown = []
    for left, right in CONTRASTS:
        held = [by_pair(rows, arm=arm, kl_coef=coef) for arm, coef in (left, right)]
        if all(held):
            differences = [difference(held[0], held[1], metric) for metric in _METRICS]
            shown.append((f"{_name(left)} − {_name(right)}", differences))
    if not shown:
        return ""
    pairs = [found[0].pairs for _, found in shown]
    columns = [
        starred([found[place] for _, found in shown], of=pairs) for place in range(len(_METRICS))
    ]
    lines = [[name, *cells] for (name, _), *cells in zip(shown, *columns, strict=True)]
    return markdown.table(["", *_METRICS], lines)


def _name(at: At) -> str:
    return f"{at[0]} @{at[1]:g}" if at[1] else at[0]
