"""Whose numbers a guide reads: the policy's or the reference's."""

from typing import Literal

Source = Literal["policy", "ref"]


def read_from(source: str, name: str) -> str:
    """The field of `Terms` for a name such as entropies; ValueError for another source."""
    if source not in ("policy", "ref"):
        raise ValueError(f"source is {source!r}; it must be policy or ref")
    return name if source == "policy" else f"ref_{name}"
