"""What runs warned of: the list of a report, as markup."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sage_jax.evaluate.report.page import Html, arm_name, section, table
from sage_jax.evaluate.report.tables import Looks
from sage_jax.evaluate.runs import Run
from sage_jax.files import ResultError, read_json_lines


def warnings_section(runs: Sequence[Run], looks: Looks) -> Html:
    """A line for each warning of each run; nothing where there are none.

    What arms share, their warm-up, warned of is in the folder that they lie in.

    Raises:
        ResultError: a file of warnings is corrupt.
    """
    homes = dict.fromkeys(run.shared for run in runs)
    told = [(Html("what arms share"), home) for home in homes if home]
    told += [(arm_name(run.name, looks[run.name]), run.path) for run in runs]
    rows = [
        [name, when, text]
        for name, folder in told
        for when, text in read_warned(folder / "warnings.jsonl")
    ]
    if not rows:
        return Html("")
    return section("Warnings", table(["arm", "first said (UTC)", "warning"], rows, words=True))


def read_warned(path: Path) -> list[tuple[str, str]]:
    """Time and text of what a run warned of; [] without a file.

    Raises:
        ResultError: a line that does not hold both.
    """
    if not path.is_file():
        return []
    return [_entry(entry, f"{path}, line {line}") for line, entry in read_json_lines(path)]


def _entry(entry: dict, place: str) -> tuple[str, str]:
    text, when = entry.get("text"), entry.get("time")
    if not isinstance(text, str) or isinstance(when, bool) or not isinstance(when, int | float):
        raise ResultError(f"{place}: text and time must be text and a number, got {entry!r:.80}")
    try:
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S"), text
    except (ValueError, OverflowError, OSError) as error:
        raise ResultError(f"{place}: {when!r} is no time ({error})") from error
