"""The reward that peers pay: 1 where the last number of a completion is the answer."""

import re

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def pay(completions, answers):
    """Rewards of completions, given as text."""
    return [
        float(_last(c) == a.replace(",", "")) for c, a in zip(completions, answers, strict=True)
    ]


def _last(text):
    found = _NUMBER.findall(text)
    return found[-1].replace(",", "") if found else None
