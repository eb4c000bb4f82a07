"""Ordinary notation both ways round; other values in it are among the hostile completions."""

import pytest
from suites import forms, notations

TABLES = {**notations.RIGHT, **forms.RIGHT}


@pytest.mark.parametrize("kind", TABLES)
def test_equal_values_in_a_notation(kind, pool):
    pairs = [
        (rf"\boxed{{{answer}}}", gold)
        for gold, answers in TABLES[kind].items()
        for answer in answers
    ]
    verdicts = pool.score(pairs)
    missed = [
        (gold, text, verdict.reason)
        for (text, gold), verdict in zip(pairs, verdicts, strict=True)
        if verdict.reason != "correct"
    ]
    assert missed == []
