"""No guide, as a part that a config names."""


def none_guide() -> None:
    """No guide: q = 1, the reference as it is.

    >>> none_guide() is None
    True
    """
