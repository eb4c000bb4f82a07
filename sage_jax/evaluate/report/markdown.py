"""A table of suites as Markdown."""

from sage_jax.evaluate.report.suite_table import SuiteTable, Text

_ABSENT = "—"


def to_markdown(table: SuiteTable, *, intervals: bool = False, digits: int = 1) -> str:
    """Rows of runs under one head, the best of each column in bold, with notes below.

    Args:
        table: the layout.
        intervals: whether cells show their bounds.
        digits: after the point.
    """
    heads = [escape(f"{group} {figure}") for group in table.groups for figure in table.figures]
    lines = [_line(["model", *heads]), _line(["---", *["---:"] * len(heads)])]
    for name, texts in zip(table.rows, table.texts(digits=digits), strict=True):
        lines.append(_line([escape(name), *(_cell(text, intervals) for text in texts)]))
    notes = escape(" ".join(table.notes(intervals=intervals)))
    return "\n".join([*lines, "", notes]) + "\n"


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is, in one line.

    >>> print(escape("a|b_c*"))
    a\|b\_c\*
    """
    marked = "".join(f"\\{c}" if c in "\\|*_`<>[]~" else c for c in text)
    return " ".join(marked.split())


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: Text | None, intervals: bool) -> str:
    if text is None:
        return _ABSENT
    value = f"**{text.value}**" if text.best else text.value
    value += "\\*" if text.differs else ""
    return f"{value} [{text.bounds}]" if intervals else value
