"""A row of a table, and what lies in it at a path."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sage_jax import json_text
from sage_jax.telling import OneLine, brief


class RowError(OneLine):
    """A row that holds no problem; the message says why, and its place is told by the reader."""


class Row(NamedTuple):
    """One row.

    Attributes:
        id: of the problem in it, where no column has one.
        place: where it stands, as "row 5".
        values: by column.
        fault: why it could not be read; empty where it could.
    """

    id: str
    place: str
    values: Mapping[str, Any] = {}
    fault: str = ""


class Table(NamedTuple):
    """Rows in an order.

    Attributes:
        name: of the file or data set, for messages.
        rows: all of it.
    """

    name: str
    rows: Sequence[Row]

    def columns(self) -> list[str]:
        """The columns that any row has, in order."""
        return list(dict.fromkeys(name for row in self.rows for name in row.values))


def has_column(columns: Sequence[str], path: str) -> bool:
    """Whether a path begins in one of some columns."""
    return path in columns or path.partition(".")[0] in columns


def look_up(values: Mapping[str, Any], path: str) -> Any:
    """What lies at a path of names and places; None where nothing does.

    A column that is named like the whole path goes first. Text is read as JSON if the path leads
    into it. Places in lists count from 0, or from the end if negative.

    Raises:
        RowError: the path leads into something else.

    >>> row = {"reward_model": {"ground_truth": "4"}, "turns": '[{"content": "2 + 2?"}]'}
    >>> look_up(row, "reward_model.ground_truth"), look_up(row, "turns.-1.content")
    ('4', '2 + 2?')
    """
    if path in values:
        return values[path]
    found, walked = values, ""
    for step in path.split("."):
        found = _inside(found, step, walked)
        if found is None:
            return None
        walked = f"{walked}.{step}" if walked else step
    return found


def _inside(value: Any, step: str, walked: str) -> Any:
    if isinstance(value, str):
        value = _json(value, walked)
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list | tuple):
        place = _whole(step)
        if place is None:
            raise RowError(f"{walked!r} holds a list: {step!r} must be a place in it, as 0 or -1")
        return value[place] if -len(value) <= place < len(value) else None
    raise RowError(f"{walked!r} holds {brief(value)}, in which no {step!r} can lie")


def _json(text: str, walked: str) -> Any:
    try:
        return json_text.read(text)
    except ValueError as error:
        raise RowError(f"{walked!r} holds text that is no JSON: {error}") from None


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
