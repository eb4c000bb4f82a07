r"""A table of suites as LaTeX."""

from sage_jax.evaluate.report.suite_table import SuiteTable, Text

_ABSENT = "--"
_ESCAPED = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    # A bracket after the end of a row would be read as the space below it.
    "[": "{[}", "]": "{]}",
} | {special: f"\\{special}" for special in "&%$#_{}"}  # fmt: skip


def to_latex(table: SuiteTable, *, intervals: bool = False, digits: int = 1) -> str:
    r"""A tabular of the package booktabs: suites over their figures, the best of each in bold.

    Args:
        table: the layout.
        intervals: whether cells show their bounds, in small print.
        digits: after the point.

    Returns:
        A tabular to be put into a table environment, with the notes as comments before it.
    """
    size, groups = len(table.figures), len(table.groups)
    notes = ["Needs \\usepackage{booktabs}.", *table.notes(intervals=intervals)]
    comments = [f"% {' '.join(note.split())}" for note in notes]
    rows = [
        _row([escape(name), *(_cell(text, intervals) for text in texts)])
        for name, texts in zip(table.rows, table.texts(digits=digits), strict=True)
    ]
    heads = [rf"\multicolumn{{{size}}}{{c}}{{{escape(group)}}}" for group in table.groups]
    starts = range(2, 2 + size * groups, size)
    lines = [
        *comments,
        rf"\begin{{tabular}}{{l{'r' * size * groups}}}",
        r"\toprule",
        _row(["", *heads]),
        " ".join(rf"\cmidrule(lr){{{first}-{first + size - 1}}}" for first in starts),
        _row(["model", *[escape(figure) for figure in table.figures] * groups]),
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""Text that LaTeX shows as it is, in one line.

    >>> print(escape("50% of a_b"))
    50\% of a\_b
    """
    return " ".join("".join(_ESCAPED.get(c, c) for c in text).split())


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(text: Text | None, intervals: bool) -> str:
    if text is None:
        return _ABSENT
    value = rf"\textbf{{{text.value}}}" if text.best else text.value
    value += "$^{*}$" if text.differs else ""
    return rf"{value} {{\scriptsize[{text.bounds}]}}" if intervals else value
