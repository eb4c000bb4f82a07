"""Tables of Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Rows of cells under a head.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    rows = (head, ["---"] * len(head), *lines)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
