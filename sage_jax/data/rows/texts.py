"""Values of a table as text: numbers as a person writes them, and what is no text refused."""

import datetime
import decimal
import math
from typing import Any

import numpy as np

from sage_jax.data.rows.row import RowError
from sage_jax.telling import brief

# Characters of a float beyond which nobody wrote it: a column of float32 comes as float64, with
# digits of its own, as 0.699999988079071.
_WRITTEN = 14


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: null, NaN, as pandas writes it, or white space."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def as_text(value: Any) -> str:
    """A value as text; a list of one value as that value.

    Raises:
        RowError: it is no single value, not finite, or holds half a surrogate pair.

    >>> [as_text(value) for value in (1.0, 0.5, 1e-7, 2e20, True, ["x"], np.float32(0.1))]
    ['1', '0.5', '0.0000001', '200000000000000000000', 'True', 'x', '0.1']
    """
    if isinstance(value, str):
        return _whole_text(value)
    if isinstance(value, bool | int | np.bool_ | np.integer):
        return str(value)
    if isinstance(value, float | np.floating | decimal.Decimal):
        return _number(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list | tuple) and len(value) == 1:
        return as_text(value[0])
    if isinstance(value, list | tuple) and value:
        raise RowError(f"is a list of {len(value)} ({brief(value)}): name one, by .0 behind it")
    raise RowError(f"is {brief(value)}, which is no text")


def _whole_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(f"holds half a surrogate pair at character {error.start}") from None
    return text


def _number(value: Any) -> str:
    """All digits that tell it from its neighbours, without an exponent."""
    if not math.isfinite(value):
        raise RowError(f"is {value}, which is no number")
    written = str(value)
    short = np.float32(value) if len(written) > _WRITTEN and abs(value) < 1e30 else value
    if float(short) == value:
        written = str(short)
    text = format(decimal.Decimal(written), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
