"""What a reward of the user's own asks for, out of a completion and the columns of its problem."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from sage_jax.data.problem import Problem
from sage_jax.parts import Part

OWN = ("problem", "prompt", "answer", "solution", "source", "id")
"""Columns that every problem has; they go before columns of the data that are named so, too."""


class Columns:
    """Which arguments of a function come from the data, by their names.

    Those are ours, wherever they stand, and of others what is positional and no config gives. A
    column that a problem lacks is None, unless the function has a default.

    Args:
        part: the function, with the arguments of its config.
        given: names that the trainer gives otherwise.
    """

    def __init__(self, part: Part, given: Iterable[str]):
        self.is_batch = not part.asks("completion")
        own = ("completion", *OWN)
        self._own = {*own, *(f"{name}s" for name in own)} if self.is_batch else {*own}
        parameters = inspect.signature(part.function).parameters
        bound = {*part.options, *given} & parameters.keys()
        plain = {
            name: one
            for name, one in parameters.items()
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY) and name not in bound
        }
        options = {n for n, one in plain.items() if one.kind is one.KEYWORD_ONLY} - self._own
        self._wanted = plain.keys() - options
        self._elsewhere = bound | options
        self._needed = [n for n in self._wanted if plain[n].default is inspect.Parameter.empty]
        self._takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())

    def of_one(self, completion: str, problem: Problem) -> dict[str, Any]:
        """The arguments for one completion."""
        return self._chosen({**_row(problem), "completion": completion})

    def of_batch(self, completions: list[str], problems: Sequence[Problem]) -> dict[str, Any]:
        """The arguments for a batch: lists, each under the column's name and under its plural."""
        rows = [_row(problem) for problem in problems]
        names = dict.fromkeys(name for row in rows for name in row)
        lists = {name: [row.get(name) for row in rows] for name in names}
        own = {"completions": completions} | {name: lists[name] for name in OWN}
        return self._chosen(_plurals(lists) | lists | _plurals(own) | own)

    def missing(self, problems: Iterable[Problem]) -> tuple[list[str], list[str]]:
        """The columns that the function needs and no problem has, and those that there are."""
        there = dict.fromkeys(name for problem in problems for name in problem.extra)
        known = {*there, *self._own, *(_plurals(there) if self.is_batch else ())}
        return sorted({*self._needed} - known), sorted(there)

    def _chosen(self, row: dict[str, Any]) -> dict[str, Any]:
        if self._takes_all:
            asked = {name: value for name, value in row.items() if name not in self._elsewhere}
        else:
            asked = {name: row[name] for name in self._wanted if name in row}
        return dict.fromkeys(self._needed) | asked


def _row(problem: Problem) -> dict[str, Any]:
    return {
        **problem.extra,
        "problem": problem,
        "prompt": problem.problem,
        "answer": problem.answer,
        "solution": problem.solution,
        "source": problem.source,
        "id": problem.id,
    }


def _plurals(columns: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}s": value for name, value in columns.items()}
