"""A table's rows as problems; those that hold none are counted, and told with their places."""

from collections.abc import Sequence
from typing import NamedTuple

from sage_jax.data.problem import DataError, Problem
from sage_jax.data.problem_set import Dropped, ProblemSet
from sage_jax.data.rows.choice import Choice
from sage_jax.data.rows.layout import Layout, Reader
from sage_jax.data.rows.row import Row, RowError, Table

_SHOWN = 10


class Found(NamedTuple):
    """Problems of a table, and what was left out of it."""

    problems: list[Problem]
    dropped: tuple[Dropped, ...] = ()


def read_table(table: Table, layout: Layout, choice: Choice) -> Found:
    """The problems of a table, without regard to `choice.limit`, see `limited`.

    Raises:
        DataError: one line, if there is no row, a column is not there, or more rows than
            `choice.max_bad_share` hold no problem: the first ten with their places.
    """
    if not table.rows:
        raise DataError(f"{table.name}: holds no row")
    if all(row.fault for row in table.rows):
        raise _too_many(table, _told(table.rows), len(table.rows), choice)
    rows = choice.rows(table)
    problems, faults = _read(rows, Reader(layout, table))
    if len(faults) > choice.max_bad_share * len(rows) or not problems:
        raise _too_many(table, faults, len(rows), choice)
    elsewhere = Dropped(f"{table.name}: not of task.where", len(table.rows) - len(rows))
    unread = Dropped(f"{table.name}: cannot be read", len(faults), tuple(faults[:_SHOWN]))
    return Found(problems, tuple(one for one in (elsewhere, unread) if one.count))


def limited(found: Found, choice: Choice, name: str) -> Found:
    """At most `choice.limit` of the problems, and the rest of them counted."""
    kept = choice.some(found.problems)
    beyond = Dropped(f"{name}: beyond task.limit", len(found.problems) - len(kept))
    return Found(kept, (*found.dropped, *([beyond] if beyond.count else ())))


def problem_set(
    train: Table | None, held_out: Table | None, layout: Layout, choice: Choice
) -> ProblemSet:
    """The problems of one table to train on, and those of another to hold out; see `parted`.

    The limit is of those to train on.

    Raises:
        DataError: see `read_table`.
    """
    found = train and limited(read_table(train, layout, choice), choice, train.name)
    return parted(found, held_out and read_table(held_out, layout, choice))


def parted(train: Found | None, held_out: Found | None) -> ProblemSet:
    """Problems to train on and to hold out; without the first all are evaluated on."""
    return ProblemSet(
        train.problems if train else [],
        held_out.problems if held_out else None,
        dropped=tuple(one for found in (train, held_out) if found for one in found.dropped),
    )


def _read(rows: Sequence[Row], reader: Reader) -> tuple[list[Problem], list[str]]:
    """Problems, and the faults of the rows that hold none."""
    problems, faults = [], []
    places: dict[str, str] = {}
    for row in rows:
        try:
            if row.fault:
                raise RowError(row.fault)
            problem = reader.problem(row)
            if problem.id in places:
                raise RowError(f"id {problem.id!r} is already used in {places[problem.id]}")
        except RowError as error:
            faults.append(f"{row.place}: {error}")
        else:
            places[problem.id] = row.place
            problems.append(problem)
    return problems, faults


def _told(rows: Sequence[Row]) -> list[str]:
    return [f"{row.place}: {row.fault}" for row in rows]


def _too_many(table: Table, faults: Sequence[str], count: int, choice: Choice) -> DataError:
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    cure = (
        f"mend them, or leave up to a share of the rows out by task.max_bad_share, which is "
        f"{choice.max_bad_share:g}"
        if len(faults) < count
        else "mend them, or name other columns"
    )
    return DataError(
        f"{table.name}: {len(faults)} of {count} rows cannot be read: "
        f"{'; '.join(faults[:_SHOWN])}{more}; {cure}"
    )
