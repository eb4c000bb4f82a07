"""The command of a study that prints tables of results, one after the other for each setting."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from studies import store
from studies.frontier import Row

Tables = Callable[[Sequence[Row]], str]


def by_setting(rows: Sequence[Row], tables: Tables) -> str:
    """The tables of each setting under its name.

    >>> print(by_setting([{"setting": "s"}], lambda rows: f"{len(rows)} row"), end="")
    # s
    <BLANKLINE>
    1 row
    """
    settings = dict.fromkeys(row["setting"] for row in rows)
    return "\n".join(
        f"# {setting}\n\n{tables([row for row in rows if row['setting'] == setting])}\n"
        for setting in settings
    )


def print_results(
    report: Tables, words: Sequence[str] | None, *, results: Path, prog: str, about: str | None
) -> None:
    """Print the report of a file of results, `results` where `words` name no other."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--results", type=Path, default=results)
    print(report(store.read(parser.parse_args(words).results)), end="")
