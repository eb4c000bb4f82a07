"""Tables and plots of the laboratory's results: `python -m studies.tables [--out docs]`."""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from studies import chosen, contrasts, markdown, plots, store
from studies.frontier import (
    FRONTIERS,
    Held,
    Interval,
    Pair,
    Row,
    by_pair,
    curves,
    difference,
    distances,
    left_out,
    starred,
)
from studies.laboratory import RESULTS

_SHOWN = ("pass@1", "pass@16", "pass@64")
_LEGEND = """\
[The study](../study.md) says what was run, and what came out. A pair is a warm-start and a seed.
`above k3` and `above exact` are distances above the frontier of that arm, the curve through its
coefficients, at equal pass@1; `(3 of 10)`: of so many pairs, since the others have more or less
pass@1 than all of the curve; `(one)`: of a single warm-start, without an interval. Intervals: 95%
over warm-starts. A star: p < .05 after Holm's correction for the column. `s`: seconds of the
fastest run."""
_CHOSEN = f"""\
The highest pass@1 among those that lose at most {chosen.LOST} of the base's pass@64: chosen on the
runs of seed 0, reported on those of the other seeds."""


def means(rows: Mapping[Pair, Row], metric: str) -> float:
    """The mean over pairs; of seconds the least, since others compiled or shared their core."""
    summed = min if metric == "seconds" else statistics.mean
    return summed(row[metric] for row in rows.values())


def table(rows: Sequence[Row]) -> str:
    """The study's table in Markdown: one line for each arm and coefficient of one setting.

    Differences are to k3 at the same coefficient, distances above the frontiers of k3 and of the
    exact reverse KL at the same pass@1; 95% intervals over warm-starts. A star: p < .05 after
    Holm's correction for all lines of the column. A run with more or less pass@1 than all of a
    frontier is left out; the cell then says of how many runs it is.
    """
    named = sorted({(row["arm"], row["kl_coef"]) for row in rows}, key=_order(rows))
    held = {one: by_pair(rows, arm=one[0], kl_coef=one[1]) for one in named}
    columns = distances(rows, held, metrics=["pass@16", "pass@64"]) | _differences(rows, held)
    pairs = [len(own) for own in held.values()]
    marked = {name: starred(column, of=pairs) for name, column in columns.items()}
    body = [
        [*_figures(arm, coef, own), *(column[place] for column in marked.values())]
        for place, ((arm, coef), own) in enumerate(held.items())
    ]
    head = ["arm", "kl_coef", "pairs", *_SHOWN, "modes kept", "KL", "entropy", "s", *columns]
    return markdown.table(head, body)


def _differences(rows: Sequence[Row], held: Held) -> dict[str, list[Interval | None]]:
    """Of each arm from k3 at its coefficient, by column."""
    k3 = {coef: by_pair(rows, arm="k3", kl_coef=coef) for _, coef in held}
    return {
        f"− k3, {metric}": [
            difference(own, k3[coef], metric) if arm not in ("k3", "base") and k3[coef] else None
            for (arm, coef), own in held.items()
        ]
        for metric in ("pass@1", "pass@64")
    }


def _figures(arm: str, coef: float, own: Mapping[Pair, Row]) -> list[str]:
    """The cells of a line that are not differences."""
    return [
        arm,
        f"{coef:g}" if arm != "base" else "",
        str(len(own)),
        *(f"{means(own, metric):.3f}" for metric in (*_SHOWN, "modes/kept")),
        *(
            _of_training(own, metric, form)
            for metric, form in (("kl", ".3f"), ("entropy", ".3f"), ("seconds", ".1f"))
        ),
    ]


def _of_training(rows: Mapping[Pair, Row], metric: str, form: str) -> str:
    """What a base has not, nor, of the KL, a run that had no reference."""
    known = all(metric in row for row in rows.values())
    return f"{means(rows, metric):{form}}" if known else ""


def bias(rows: Sequence[Row]) -> str:
    """What reading a frontier off a curve errs by, from its own runs left out one at a time.

    Empty where a frontier has too few runs to leave one out.
    """
    found = {
        f"{frontier}, {metric}": left_out(curves(rows, frontier), metric)
        for frontier in FRONTIERS
        for metric in ("pass@16", "pass@64")
    }
    return "\n".join(
        f"- {name}: " + ", ".join(f"{coef:g}: {one.mean:+.3f}" for coef, one in own.items())
        for name, own in found.items()
        if own
    )


def _under(heading: str, found: str) -> str:
    """What was found below its heading; nothing of nothing."""
    return f"{heading}\n\n{found}" if found else ""


def _suited(rows: Sequence[Row]) -> dict[str, float]:
    """The coefficients that `chosen` picks, of the arms that are drawn, beside training without."""
    coefs = {arm: chosen.choose(rows, arm) for arm in plots.named(rows)}
    plain = {arm: 0.0 for arm in plots.NO_KL if any(row["arm"] == arm for row in rows)}
    return plain | {arm: coef for arm, coef in coefs.items() if coef is not None}


def _order(rows: Sequence[Row]):
    arms = list(dict.fromkeys(["base", *(row["arm"] for row in rows)]))
    return lambda one: (arms.index(one[0]), one[1])


def main(words: Sequence[str] | None = None) -> None:
    """Write the tables of every setting and learning rate there is."""
    parser = argparse.ArgumentParser(prog="python -m studies.tables", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=Path("docs/study"))
    given = parser.parse_args(words)
    given.out.mkdir(parents=True, exist_ok=True)
    rows = store.read(given.results)
    for setting, rate in sorted(
        {(r["setting"], r["learning_rate"]) for r in rows if r["learning_rate"]}
    ):
        own = [r for r in rows if r["setting"] == setting and r["learning_rate"] in (rate, 0.0)]
        name = f"{setting}-{rate:g}"
        parts = (
            f"# Runs of `{setting}` at a learning rate of {rate:g}",
            _LEGEND,
            f"![every arm on the plane of pass@1 and pass@k]({name}.png)",
            f"![pass@k over k]({name}-pass-at-k.png)",
            _under(f"## Each arm at the coefficient that suits it\n\n{_CHOSEN}", chosen.table(own)),
            _under("## Arms against one another", contrasts.table(own)),
            _under("## Every arm and coefficient", table(own)),
            _under("## What a frontier's curve errs by, each of its runs left out", bias(own)),
        )
        (given.out / f"{name}.md").write_text("\n\n".join(filter(None, parts)) + "\n")
        plots.frontier(own, given.out / f"{name}.png")
        plots.pass_at_k(own, _suited(own), given.out / f"{name}-pass-at-k.png")


if __name__ == "__main__":
    main()
