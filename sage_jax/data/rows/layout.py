"""Which columns of a table are what of a problem, and a row read by that."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sage_jax.data.problem import DataError, Problem
from sage_jax.data.rows.answers import Cut, by_pattern
from sage_jax.data.rows.conversations import (
    Conversation,
    is_conversation,
    read_conversation,
    turns_of,
)
from sage_jax.data.rows.row import Row, RowError, Table, has_column, look_up
from sage_jax.data.rows.texts import as_text, is_missing
from sage_jax.parts.modules import near_miss

_OWN = ("id", "problem", "answer", "source", "solution")
_TURNS = ("messages", "prompt")  # Columns that may hold a conversation, where none is named.


@dataclasses.dataclass(frozen=True)
class Layout:
    """How rows are read.

    Attributes:
        columns: paths by the name of what lies there: `problem`, `answer`, `solution`, `id`,
            `source`, or a column of one's own; those not named are read under their own names. An
            empty path says that there is none.
        answer_from: see `answers.by_pattern`; cut out of the answer's column, or of the solution
            where that has none. Empty takes the answer's column as it is.
        source: of all problems, where no column has it.
    """

    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    answer_from: str = ""
    source: str = ""


class Reader:
    """Reads the rows of one table.

    Args:
        layout: how.
        table: whose columns have to be there.

    Raises:
        DataError: a column that is named is in no row, or nothing says where the statement is, or
            the answer; with the columns that there are.
    """

    def __init__(self, layout: Layout, table: Table):
        there = table.columns()
        if layout.source and layout.columns.get("source"):
            raise DataError("task.source and task.columns.source: give one of both")
        for name, path in layout.columns.items():
            if path and not has_column(there, path):
                raise DataError(
                    f"{table.name}: task.columns.{name}: there is no column {path!r}"
                    f"{near_miss(path, there)}; {_are(there)}"
                )
        self._cut: Cut | None = by_pattern(layout.answer_from) if layout.answer_from else None
        self._source = layout.source
        self._paths = {name: name for name in _OWN if name in there} | dict(layout.columns)
        if layout.source:
            self._paths["source"] = ""
        if "problem" not in self._paths:
            turns = [name for name in _TURNS if _has_turns(table, name)]
            self._paths |= {"problem": turns[0]} if turns else {}
        _refuse_unknown(table, self._paths, there, self._cut)
        # A column that was given another name stands under that alone.
        self._taken = {*self._paths.values()}

    def problem(self, row: Row) -> Problem:
        """The problem in a row.

        Raises:
            RowError: there is none, and why.
        """
        said = self._said(row.values)
        solution = self._text(row.values, "solution") or said.solution
        extra = {name: value for name, value in row.values.items() if name not in self._taken}
        if said.system:
            extra["system"] = said.system
        return Problem(
            id=self._text(row.values, "id") or row.id,
            problem=said.problem,
            answer=self._answer(row.values, solution),
            source=self._source or self._text(row.values, "source"),
            solution=solution or None,
            extra=extra | dict(self._further(row.values)),
        )

    def _said(self, values: Mapping[str, Any]) -> Conversation:
        path = self._paths["problem"]
        value = turns_of(look_up(values, path))
        if not is_conversation(value):
            return Conversation(self._needed(values, "problem"))
        try:
            said = read_conversation(value)
            said = Conversation(*map(as_text, said))
        except RowError as error:
            raise RowError(f"problem ({path}) {error}") from None
        if is_missing(said.problem):
            raise RowError(f"problem ({path}) is empty")
        return said

    def _answer(self, values: Mapping[str, Any], solution: str) -> str:
        path = self._paths.get("answer", "")
        if self._cut is None:
            return self._needed(values, "answer").strip() if path else ""
        place = f"answer ({path})" if path else "solution"
        text = self._needed(values, "answer") if path else solution
        if not text:
            raise RowError("there is no solution to cut the answer out of")
        try:
            return self._cut(text)
        except RowError as error:
            raise RowError(f"{place} {error}") from None

    def _needed(self, values: Mapping[str, Any], name: str) -> str:
        if text := self._text(values, name):
            return text
        raise RowError(f"{name} ({self._paths[name]}) is empty")

    def _text(self, values: Mapping[str, Any], name: str) -> str:
        """What a row says of one of our own fields; empty if nothing."""
        path = self._paths.get(name, "")
        value = look_up(values, path) if path else None
        try:
            return "" if is_missing(value) else as_text(value)
        except RowError as error:
            raise RowError(f"{name} ({path}) {error}") from None

    def _further(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Columns of the user's own names."""
        for name, path in self._paths.items():
            if path and name not in _OWN:
                yield name, look_up(values, path)


def _has_turns(table: Table, name: str) -> bool:
    return any(is_conversation(turns_of(row.values.get(name))) for row in table.rows)


def _refuse_unknown(
    table: Table, paths: Mapping[str, str], there: Sequence[str], cut: Cut | None
) -> None:
    """Refuse a table of which nothing says what the statement is, or the answer."""
    if not paths.get("problem"):
        raise DataError(
            f"{table.name}: there is no column 'problem' for the statement; {_are(there)}: name "
            f"one, as task.columns: {{problem: {_first(there, 'question')}}}"
        )
    if "answer" not in paths and cut is None:
        raise DataError(
            f"{table.name}: there is no column 'answer'; {_are(there)}: name one, as "
            f"task.columns: {{answer: {_first(there, 'final')}}}, or give task.answer_from to cut "
            "it out of the solution, or task.columns: {answer: ''} if there is none"
        )


def _first(there: Sequence[str], example: str) -> str:
    return example if example in there or not there else there[-1]


def _are(there: Sequence[str]) -> str:
    names = ", ".join(there[:20]) + (", ..." if len(there) > 20 else "")
    return f"there are {names}" if there else "it has none"
