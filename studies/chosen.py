"""Every method at the coefficient that suits it: chosen on some seeds, reported on others."""

from collections.abc import Mapping, Sequence

from studies import markdown
from studies.frontier import (
    FRONTIERS,
    Held,
    Interval,
    Pair,
    Row,
    by_pair,
    difference,
    distances,
    interval,
    starred,
)

LOST = 0.01
"""Of the base model's pass@64: as much as a coefficient may lose and still be chosen."""

_VALIDATION = 0
_SHOWN = ("pass@1", "pass@16", "pass@64", "modes/kept")


def choose(rows: Sequence[Row], arm: str) -> float | None:
    """The coefficient of the highest pass@1 that keeps pass@64, on the validation seed.

    It keeps pass@64 where the mean over warm-starts is at most `LOST` below the base models'.
    None where none does.
    """
    least = _mean(by_pair(rows, arm="base"), "pass@64") - LOST
    own = [row for row in rows if row["arm"] == arm and row["seed"] == _VALIDATION]
    grid = {coef: by_pair(own, kl_coef=coef) for coef in {row["kl_coef"] for row in own}}
    kept = {coef: held for coef, held in grid.items() if _mean(held, "pass@64") >= least}
    return max(kept, key=lambda coef: _mean(kept[coef], "pass@1"), default=None)


def table(rows: Sequence[Row]) -> str:
    """In Markdown, the best first, on the other seeds: figures, paired differences, distances.

    Distances are above the frontiers at equal pass@1. Stars as in `frontier.starred`. Nothing of
    runs of one seed.
    """
    reported = [row for row in rows if row["seed"] != _VALIDATION]
    if not reported:
        return ""
    arms = list(dict.fromkeys(row["arm"] for row in reported if row["arm"] != "base"))
    suited = [(arm, coef) for arm in arms if (coef := choose(rows, arm)) is not None]
    own = {one: by_pair(reported, arm=one[0], kl_coef=one[1]) for one in suited}
    held = dict(sorted(own.items(), key=lambda one: -_mean(one[1], "pass@1")))
    pairs = [len(own) for own in held.values()]
    columns = _differences(held) | distances(reported, held, metrics=["pass@16"])
    cells = {name: starred(column, of=pairs) for name, column in columns.items()}
    lines = [
        [
            arm,
            f"{coef:g}",
            *(f"{_mean(own, metric):.3f}" for metric in _SHOWN),
            *(column[place] for column in cells.values()),
        ]
        for place, ((arm, coef), own) in enumerate(held.items())
    ]
    lost = [arm for arm in arms if arm not in dict(suited)]
    return markdown.table(["arm", "kl_coef", *_SHOWN, *cells], lines) + (
        f"\n\nAt every coefficient they lost more: {', '.join(lost)}." if lost else ""
    )


def _differences(held: Held) -> dict[str, list[Interval | None]]:
    """Of each arm from a frontier's own chosen coefficient, by column."""
    chosen = {arm: own for (arm, _), own in held.items()}
    return {
        f"pass@1 − {other}'s": [
            difference(own, chosen[other], "pass@1") if other in chosen and other != arm else None
            for arm, own in chosen.items()
        ]
        for other in FRONTIERS
    }


def _mean(rows: Mapping[Pair, Row], metric: str) -> float:
    """Over warm-starts, the seeds of one averaged first."""
    return interval({pair: row[metric] for pair, row in rows.items()}).mean
