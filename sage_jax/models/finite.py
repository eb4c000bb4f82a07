"""NaN and infinity in weights, found without a copy of them."""

import ml_dtypes
import numpy as np

from sage_jax.models.errors import ModelError

# Values looked at together: few enough to stay in a core's cache.
_CHUNK = 1 << 18
# The bits of the exponent, all of which are set in NaN and infinity and in nothing else.
_EXPONENTS = {np.dtype(ml_dtypes.bfloat16): 0x7F80, np.dtype(np.float16): 0x7C00}


def refuse_bad_values(name: str, value: np.ndarray, *, after: str = "") -> None:
    """Raise `ModelError` if a tensor holds NaN or infinity.

    Args:
        name: Of the tensor, for the message.
        value: [...] floating point, bfloat16 among them.
        after: What was done to it, for the message.
    """
    bad = count_bad(value)
    if bad:
        behind = f" {after}" if after else ""
        raise ModelError(
            f"tensor {name}{behind} holds NaN or infinity: {bad} of {value.size} values; take "
            "another copy of the weights, or the run they come from went wrong"
        )


def count_bad(value: np.ndarray) -> int:
    """How many values are NaN or infinite.

    >>> count_bad(np.array([1.0, np.nan, -np.inf], np.float16))
    2
    """
    # Whatever order the values lie in will do, so that a transposed view costs no copy.
    flat = value.ravel(order="K")
    exponent = _EXPONENTS.get(flat.dtype)
    total = 0
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        if exponent is None:
            total += part.size - int(np.count_nonzero(np.isfinite(part)))
        else:
            bits = part.view(np.uint16) & np.uint16(exponent)
            total += int(np.count_nonzero(bits == exponent))
    return total
