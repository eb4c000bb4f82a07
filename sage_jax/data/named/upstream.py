"""Rows of upstream's files, told by file and row where they are not as expected."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sage_jax import json_lines
from sage_jax.data.problem import DataError
from sage_jax.rewards.boxes import boxes


class Row(NamedTuple):
    """A row of a file.

    Attributes:
        fields: by name.
        where: file and number, for messages.
        place: its number, from 0.
    """

    fields: Mapping[str, Any]
    where: str
    place: int

    def text(self, *names: str) -> str:
        """The first of some fields that there is, without white space around it.

        Raises:
            DataError: there is none, or it holds nothing.
        """
        found = next((self.fields[name] for name in names if name in self.fields), "")
        if not str(found).strip():
            has = ", ".join(map(str, self.fields))
            raise self.fault(f"has no {' or '.join(map(repr, names))}; it has {has}")
        return str(found).strip()

    def boxed(self, *names: str) -> str:
        r"""What the last `\boxed{}` of a field holds.

        Raises:
            DataError: there is none.
        """
        text = self.text(*names)
        found = boxes(text)
        if not (found and found[-1].strip()):
            raise self.fault(rf"has no \boxed{{}} in {names[0]!r}")
        return found[-1].strip()

    def whole_number(self, *names: str) -> str:
        """A field that holds an integer, as 27 where upstream has 27.0 or 027.

        Raises:
            DataError: it holds none.
        """
        text = self.text(*names)
        try:
            return str(int(text.removesuffix(".0")))
        except ValueError:
            raise self.fault(f"has {text[:60]!r} as {names[0]!r}, which is no integer") from None

    def fault(self, said: str) -> DataError:
        """An error about this row."""
        return DataError(f"{self.where} {said}; upstream's file is not of the form that is known")


def json_rows(path: Path) -> Iterator[Row]:
    """The rows of a file of JSON Lines.

    Raises:
        DataError: it is none.
    """
    try:
        lines = json_lines.read_lines(path)
        for place, line in enumerate(lines):
            where = f"{path}, line {place + 1}"
            fields = json.loads(line)
            if not isinstance(fields, dict):
                raise DataError(f"{where}: must be a JSON object")
            yield Row(fields, where, place)
    except (json_lines.JsonLinesError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
