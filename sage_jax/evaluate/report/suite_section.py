"""The part of the report on suites: runs against sets of problems, as a page and as files."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from sage_jax.evaluate.report.latex import to_latex
from sage_jax.evaluate.report.markdown import to_markdown
from sage_jax.evaluate.report.page import Html, section, table, tag
from sage_jax.evaluate.report.subsets import with_clean
from sage_jax.evaluate.report.suite_table import SuiteTable, Text, suite_table
from sage_jax.evaluate.runs import Run
from sage_jax.evaluate.seeded import SeededResult
from sage_jax.evaluate.suites import BASE, contaminated, of_runs, trained_on
from sage_jax.files import write_atomically

_LARGEST = 64  # As of the cards: a k that all runs have, and that tells them apart.


def suites_section(folder: Path, runs: Sequence[Run]) -> Html:
    """Write suites.md and suites.tex, and give their table as markup; nothing without suites.

    Raises:
        ResultError: a result of a suite is corrupt.
    """
    found = of_runs(runs)
    if not found:
        return Html("")
    laid = lay_out(found, contaminated=contaminated(trained_on(runs), found))
    write_tables(folder / "suites", laid)
    notes = tag("p", " ".join(laid.notes(intervals=True)), class_="muted")
    return section("Suites", _markup(laid), notes)


def write_tables(path: Path, laid: SuiteTable) -> None:
    """Write a table as Markdown and as LaTeX, at `path` with their endings."""
    for ending, text in ((".md", to_markdown(laid)), (".tex", to_latex(laid))):
        write_atomically(path.with_name(path.name + ending), text.encode())


def lay_out(
    found: Mapping[str, Mapping[str, SeededResult]],
    ks: Sequence[int] = (),
    *,
    contaminated: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> SuiteTable:
    """Runs against suites, tested against the base where it is there.

    Args:
        found: as `of_runs` gives it.
        ks: of pass@k; by default 1, and the largest up to 64 that all have.
        contaminated: problems of suites that were trained on; beside such a suite stands what is
            left of it without them.
    """
    most = min(one.largest_k for suites in found.values() for one in suites.values())
    figures = [f"pass@{k}" for k in ks or dict.fromkeys((1, min(most, _LARGEST)))]
    baseline = BASE if BASE in found and len(found) > 1 else ""
    widened, averages = with_clean(found, contaminated)
    return suite_table(widened, figures, averages=averages, baseline=baseline)


def _markup(laid: SuiteTable) -> Html:
    heads = [f"{group} {figure}" for group in laid.groups for figure in laid.figures]
    rows = [[name, *map(_cell, texts)] for name, texts in zip(laid.rows, laid.texts(), strict=True)]
    return table(["model", *heads], rows)


def _cell(text: Text | None) -> Html | str:
    if text is None:
        return "—"
    value = tag("b", text.value) if text.best else text.value
    return tag("span", value, " *" if text.differs else "", tag("small", f" [{text.bounds}]"))
