"""The tables of a report, as markup."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np

from sage_jax.evaluate.bootstrap import Interval
from sage_jax.evaluate.comparison import Comparison, chosen_ks
from sage_jax.evaluate.figures import is_share
from sage_jax.evaluate.report.page import Html, arm_name, join, table, tag
from sage_jax.evaluate.report.points import points
from sage_jax.evaluate.report.theme import Style
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.runs import Run
from sage_jax.evaluate.support import Support, expected_support

_PAIRS_UNFOLDED = 12

Looks = Mapping[str, tuple[Style, Style]]
Pair = tuple[str, str]


def figure(label: str, interval: Interval | None) -> Html:
    """A share in percent, or a number of modes, with its interval below it."""
    if interval is None:
        return Html("—")
    low, high = interval.low, interval.high
    if is_share(label):
        value, bounds = f"{interval.mean:.1%}", f"{100 * low:.1f} to {100 * high:.1f}"
    else:
        value, bounds = f"{interval.mean:.2f}", f"{low:.2f} to {high:.2f}"
    return join([value, tag("span", bounds, class_="range")])


def change(label: str, interval: Interval | None, p: float | None = None) -> Html:
    """A difference of shares in percentage points, or of modes, marked where it excludes zero."""
    if interval is None:
        return Html("—")
    sign, kind = "≈ ", "none"
    if interval.excludes_zero:
        sign, kind = ("▲ ", "up") if interval.mean > 0 else ("▼ ", "down")
    mean, low, high = (text.replace("-", "−") for text in points(label, interval))
    value = tag("span", f"{sign}{mean}", class_=kind)
    bounds = f"{low} to {high}"
    bounds += "" if p is None else f"; p {p:.2g}"
    return join([value, tag("span", bounds, class_="range")])


def summary_table(comparison: Comparison, looks: Looks) -> Html:
    """Every evaluation's figures with intervals, completion length, truncation, lost verdicts.

    Lost verdicts have a column only where there are any, lengths where something was sampled.
    """
    rows, any_lost = [], any(result.lost for result in comparison.results.values())
    ends = end_columns(comparison)
    for name, result in comparison.results.items():
        figures = map(figure, comparison.labels, comparison.intervals(name))
        lengths = [cell(result) for cell in ends.values()]
        lost = [plain(result.lost, "{:.1%}")] if any_lost else []
        rows.append([arm_name(name, looks[name]), result.step, *figures, *lengths, *lost])
    last = ["verdicts lost"] if any_lost else []
    return table(["model", "step", *comparison.labels, *ends, *last], rows)


def end_columns(comparison: Comparison) -> dict[str, Callable[[EvalResult], str]]:
    """Columns of what only samples have, where there are any: their length, and how many ended."""
    if all(result.exact for result in comparison.results.values()):
        return {}
    return {
        "length": lambda result: plain(result.mean_length, "{:.1f}"),
        "cut off": lambda result: plain(result.truncated, "{:.1%}"),
    }


def _differences(comparison: Comparison, tested: Mapping[Pair, list[float]], looks: Looks) -> Html:
    rows, notes = [], []
    for (name, baseline), ps in tested.items():
        title = join([arm_name(name, looks[name]), " − ", arm_name(baseline, looks[baseline])])
        try:
            found = comparison.difference(name, baseline)
            rows.append([title, *map(change, comparison.labels, found, ps)])
        except ValueError as error:
            notes.append(tag("p", title, f": not comparable, {error}.", class_="muted"))
    grid = [table(["points", *comparison.labels], rows)] if rows else []
    return join([*grid, *notes])


def difference_table(comparison: Comparison, looks: Looks) -> Html:
    """Paired differences in percentage points: arms against their base, then each other.

    With 95% intervals, and p of a sign-flip test corrected for the number of pairs.
    """
    known = comparison.p_values()
    tested = {pair: known.get(pair, []) for pair in comparison.pairs()}
    if len(tested) <= _PAIRS_UNFOLDED:
        return _differences(comparison, tested, looks)
    first = {pair: ps for pair, ps in tested.items() if pair[1] in comparison.bases}
    rest = {pair: ps for pair, ps in tested.items() if pair[1] not in comparison.bases}
    folded = _differences(comparison, rest, looks)
    title = tag("summary", f"{len(rest)} differences between arms")
    return join([_differences(comparison, first, looks), tag("details", title, folded)])


def support_table(
    comparison: Comparison, supports: Mapping[str, Support], looks: Looks, *, linked: bool = False
) -> Html:
    """Support expansion as observed, and as expected at smaller sample budgets.

    Args:
        comparison: of the runs.
        supports: of the arms.
        looks: of the runs.
        linked: whether gains and losses lead to their completions, further down on the page.
    """
    smallest = min(min(s.samples, s.base_samples) for s in supports.values())
    # One sample says nothing of support, and at the full budget the expectation is the count.
    ks = chosen_ks(smallest)[1:-1]
    rows = []
    for name, found in supports.items():
        groups = {
            "gained": found.gained, "kept": found.kept, "lost": found.lost, "never": found.never,
        }  # fmt: skip
        runs = (comparison.base_of[name], name) if linked else ()
        counts = [_leading(move, len(own), runs) for move, own in groups.items()]
        base = comparison.results[comparison.base_of[name]]
        smaller = [expected_support(base, comparison.results[name], k) for k in ks]
        moves = [f"+{e['gained']:.1f} / −{e['lost']:.1f}" for e in smaller]
        rows.append([arm_name(name, looks[name]), *counts, *moves])
    return table(
        ["model", "gained", "kept", "lost", "never", *(f"with {k} samples" for k in ks)],
        rows,
        caption="Problems, and how many gains / losses to expect from smaller sample budgets."
        if ks
        else "",
    )


def _leading(move: str, count: int, runs: Sequence[str]) -> object:
    """A count of problems gained or lost that leads to what an arm and its base wrote of them."""
    if not (count and runs) or move not in ("gained", "lost"):
        return count
    found = urlencode([("moved", move), *(("run", name) for name in runs)])
    return tag("a", count, href=f"#{found}", title=f"completions of problems {move}")


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config as {dotted.path: value}.

    >>> flatten({"loss": {"kl_coef": 0.05}, "seed": 0})
    {'loss.kl_coef': 0.05, 'seed': 0}
    """
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def _setting(flat: Mapping[str, Any], key: str) -> str:
    if key not in flat:
        return "—"
    value = flat[key]
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def config_tables(runs: Sequence[Run], looks: Looks) -> Html:
    """Fields in which the arms' configs differ; those they share are folded away."""
    flats = {run.name: flatten(run.config) for run in runs if run.config}
    keys = list(dict.fromkeys(key for flat in flats.values() for key in flat))
    different = [key for key in keys if len({_setting(f, key) for f in flats.values()}) > 1]
    rows = [[key, *(_setting(flat, key) for flat in flats.values())] for key in different]
    heads = [arm_name(name, looks[name]) for name in flats]
    parts = [table(["field", *heads], rows)] if rows else []
    if len(flats) > 1 and not rows:
        parts.append(tag("p", "All fields are equal in all arms."))
    shared = [
        [key, _setting(next(iter(flats.values())), key)] for key in keys if key not in different
    ]
    if shared:
        title = "All fields" if len(flats) == 1 else f"{len(shared)} fields equal in all arms"
        parts.append(tag("details", tag("summary", title), table(["field", "value"], shared)))
    return join(parts)


def plain(value: float | None, form: str) -> str:
    """A number as text; a dash where there is none."""
    return "—" if value is None or not np.isfinite(value) else form.format(value)
