"""JSON as this project reads it from files of others."""

import json
from typing import Any

from sage_jax.telling import line

_MOST_DIGITS = 300  # So that any whole number has a float.


def read(data: bytes | str) -> Any:
    """The value in a text.

    Raises:
        ValueError: it is not JSON, nested too deeply, or holds a number beyond all floats; in one
            line.

    >>> read('{"a": [1, null]}')
    {'a': [1, None]}
    """
    try:
        return json.loads(data, parse_int=whole)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:  # of JSON and of the encoding
        raise ValueError(line(error)) from None


def whole(digits: str) -> int:
    """A whole number as JSON writes it; raises `ValueError` where no float reaches it."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)
