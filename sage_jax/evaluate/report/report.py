"""The report: plots as PNG files, and one HTML page that carries everything inside."""

from collections.abc import Sequence
from pathlib import Path

from sage_jax.evaluate.comparison import Comparison, compare
from sage_jax.evaluate.report.drawn import add_picture
from sage_jax.evaluate.report.entropy_section import entropy_section, read_branching
from sage_jax.evaluate.report.frontier import families, plot_frontier
from sage_jax.evaluate.report.page import Html, arm_name, document, join, section, tag
from sage_jax.evaluate.report.plots import describe, plot_pass_at_k, plot_support
from sage_jax.evaluate.report.shown import shown
from sage_jax.evaluate.report.suite_section import suites_section
from sage_jax.evaluate.report.tables import (
    Looks,
    change,
    config_tables,
    difference_table,
    plain,
    summary_table,
    support_table,
)
from sage_jax.evaluate.report.theme import DARK, LIGHT, styles
from sage_jax.evaluate.report.timing import split_table, timing_table
from sage_jax.evaluate.report.token_view import ALIVE, tokens_section
from sage_jax.evaluate.report.training_section import training_section
from sage_jax.evaluate.report.transcripts import transcripts
from sage_jax.evaluate.report.warned import warnings_section
from sage_jax.evaluate.runs import Run, read_runs
from sage_jax.evaluate.support import Support, support_expansion
from sage_jax.evaluate.trends import read_trends
from sage_jax.files import write_atomically
from sage_jax.paths import as_path

_CARD_K = 64  # Beyond it exact figures tell little: small tasks are all solved.


def _looks(runs: Sequence[Run], comparison: Comparison) -> Looks:
    names, bases = [run.name for run in runs], comparison.bases
    light, dark = (styles(names, theme, bases=bases) for theme in (LIGHT, DARK))
    return {name: (light[name], dark[name]) for name in light}


def _change(comparison: Comparison, name: str, place: int) -> Html:
    if name in comparison.bases:
        return tag("small", "before training", class_="muted")
    try:
        found = comparison.difference(name, comparison.base_of[name])[place]
        return tag("small", change(comparison.labels[place], found))
    except (KeyError, ValueError):  # no base model, or one on other problems
        return tag("small", "no base to compare", class_="muted")


def _card(name: str, comparison: Comparison, looks: Looks) -> Html:
    """pass@1 and pass@k at the largest k up to 64 of one model, with the change from its base."""
    intervals = comparison.intervals(name)
    ks = {int(label[5:]): i for i, label in enumerate(comparison.labels) if label[:5] == "pass@"}
    last = max(i for k, i in ks.items() if k <= _CARD_K)
    cells = []
    for place in dict.fromkeys((0, last)):
        note, found = _change(comparison, name, place), intervals[place]
        cells.append(tag("dt", comparison.labels[place]))
        cells.append(tag("dd", plain(found and found.mean, "{:.1%}"), note))
    light, dark = looks[name]
    color = f"--arm:{light.color};--arm-dark:{dark.color}"
    title = tag("h3", arm_name(name, looks[name]))
    return tag("div", title, tag("dl", *cells), class_="card", style=color)


def _header(runs: Sequence[Run], comparison: Comparison, looks: Looks) -> Html:
    title = tag("h1", " · ".join(run.name for run in runs))
    if not comparison.results:
        return join([title, tag("p", "No evaluation has been written yet.", class_="muted")])
    tasks = dict.fromkeys(f"{r.task}: {describe(r)}" for r in comparison.results.values())
    lines = [tag("p", line, class_="muted") for line in tasks]
    if len(tasks) > 1:
        lines.append(tag("p", "The evaluations differ in the above: compare them with care."))
    cards = [_card(name, comparison, looks) for name in comparison.results]
    return join([title, *lines, tag("div", *cards, class_="cards")])


def _frontier(
    folder: Path, runs: Sequence[Run], comparison: Comparison, looks: Looks
) -> list[Html]:
    """The plot of pass@1 against pass@k, where several arms are compared on the same problems."""
    results = comparison.results
    alike = len({frozenset(result.ids) for result in results.values()}) == 1
    if len(comparison.arms) < 2 or not alike or any(r.largest_k < 2 for r in results.values()):
        return []
    figure = add_picture(
        folder,
        "frontier",
        lambda theme: plot_frontier(
            results,
            bases=comparison.bases,
            joined=families([run for run in runs if run.name in results]),
            theme=theme,
            order=_arms(looks, comparison),
        ),
        alt="pass@1 against pass@k, a point each of " + ", ".join(results),
        caption="Right: more solved at the first try. Up: more solved within k. Arms on one line "
        "trade one for the other, and an arm above it keeps more for the same. The dotted lines go "
        "through the base: above and right of both, both figures rose.",
    )
    return [figure]


def _pass_section(folder: Path, runs: Sequence[Run], comparison: Comparison, looks: Looks) -> Html:
    figure = add_picture(
        folder,
        "pass_at_k",
        lambda theme: plot_pass_at_k(
            comparison.results, bases=comparison.bases, theme=theme, order=tuple(looks)
        ),
        alt="pass@k against k for " + ", ".join(comparison.results),
    )
    note = tag(
        "p",
        "pass@k is the unbiased estimate of the chance that one of k samples is correct, or that "
        "chance itself where it was computed; modes@k is the number of distinct ways of being "
        "right among k samples, diversity the chance that two right answers differ in theirs; "
        "intervals are 95% bootstrap intervals over problems. Where the problems are shared, "
        "overlapping bands say little: see the paired differences.",
        class_="muted",
    )
    frontier = _frontier(folder, runs, comparison, looks)
    return section("Results", *frontier, figure, summary_table(comparison, looks), note)


def _difference_section(comparison: Comparison, looks: Looks) -> Html:
    note = tag(
        "p",
        "Percentage points (of modes@k modes), each problem compared with itself, 95% bootstrap "
        "interval over problems. ▲ ▼ mark intervals that exclude zero, ≈ those that do not. The "
        "intervals do not cover the luck of training: another seed of the same arm would differ "
        "too, and are not corrected for the number of comparisons. p is: of a test that flips the "
        "signs of differences, times what Holm's correction asks for that many rows.",
        class_="muted",
    )
    return section("Paired differences", difference_table(comparison, looks), note)


def _supports(comparison: Comparison) -> dict[str, Support]:
    found = {}
    for name, base in comparison.base_of.items():
        before, after = comparison.results[base], comparison.results[name]
        if set(before.ids) == set(after.ids) and before.exact == after.exact:
            found[name] = support_expansion(before, after)
    return found


def _support_section(folder: Path, comparison: Comparison, looks: Looks, *, linked: bool) -> Html:
    supports = _supports(comparison)
    if not supports:
        return Html("")
    figure = add_picture(
        folder,
        "support",
        lambda theme: plot_support(supports, theme=theme, order=_arms(looks, comparison)),
        alt="problems gained, kept, lost and never solved against the base model",
    )
    caveats = dict.fromkeys(support.caveat for support in supports.values())
    notes = [tag("p", caveat, class_="muted") for caveat in caveats]
    table = support_table(comparison, supports, looks, linked=linked)
    return section("Problems gained and lost", figure, table, *notes)


def _arms(looks: Looks, comparison: Comparison) -> tuple[str, ...]:
    return tuple(name for name in looks if name not in comparison.bases)


def _tokens_section(runs: Sequence[Run], comparison: Comparison, looks: Looks) -> Html:
    moves = {
        name: dict.fromkeys(support.gained, "gained") | dict.fromkeys(support.lost, "lost")
        for name, support in _supports(comparison).items()
    }
    rows, left_out = shown(runs, comparison, moves)
    if not rows:
        return Html("")
    written = [run for run in runs if run.samples]
    plain = [transcripts(run, looks, unfold=run is written[0]) for run in written]
    return tokens_section(rows, looks, moves, left_out=left_out, plain=plain)


def _remaining_sections(runs: Sequence[Run], looks: Looks) -> list[Html]:
    parts = []
    if any(run.config for run in runs):
        title = "Configuration differences" if len(runs) > 1 else "Configuration"
        parts.append(section(title, config_tables(runs, looks)))
    if any(len(run.metrics.get("step", ())) for run in runs):
        tables = split_table(runs, looks), timing_table(runs, looks)
        parts.append(section("Time and throughput", *tables))
    return parts


def write_report(run_dirs: Sequence[str | Path], out_dir: str | Path) -> Path:
    """Compares run folders (or folders of arms): PNG plots and one self-contained HTML page.

    Writes frontier.png, pass_at_k.png, entropies.png, support.png, history.png, training.png,
    q.png and positions.png, as far as the runs hold what they show, each also as *_dark.png;
    suites.md and suites.tex where suites were evaluated; and index.html with the plots inside,
    summary and paired differences with intervals, support expansion, warnings, completions token by
    token, configuration differences and timings. The page needs no network; it runs one script, its
    own, which shows completions, and all text of models is text in it.

    Args:
        run_dirs: run folders, or folders that hold run folders; one colour each, in this order.
        out_dir: where to write; made if missing.

    Returns:
        The path of index.html.

    Raises:
        ResultError: a folder that holds no run, or a file in one that is corrupt; nothing is
            written then.
    """
    runs, folder = read_runs(run_dirs), as_path(out_dir)
    comparison = compare(runs)
    looks = _looks(runs, comparison)
    # What may be corrupt is read before anything is written.
    tokens, warned = _tokens_section(runs, comparison, looks), warnings_section(runs, looks)
    branching = read_branching(runs)
    trends = {run.name: read_trends(run.path / "samples") for run in runs}
    parts = [_header(runs, comparison, looks)]
    if comparison.results:
        parts.append(_pass_section(folder, runs, comparison, looks))
    parts.append(entropy_section(folder, branching))
    if comparison.pairs():
        parts.append(_difference_section(comparison, looks))
    parts.append(suites_section(folder, runs))
    parts.append(_support_section(folder, comparison, looks, linked=bool(tokens)))
    parts.append(warned)
    parts.append(training_section(folder, runs, trends, _arms(looks, comparison)))
    parts.append(tokens)
    parts += _remaining_sections(runs, looks)
    title = "sage-jax report: " + ", ".join(run.name for run in runs)
    page = folder / "index.html"
    live = ALIVE if tokens else {}
    write_atomically(page, document(title, *parts, **live).encode())
    return page
