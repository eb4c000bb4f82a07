"""Competitions of the Mathematical Association of America: AIME 2024 and 2025, AMC 12 of 2023."""

import re
from collections.abc import Sequence
from pathlib import Path

from sage_jax.data.named.data_set import DataSet, Split
from sage_jax.data.named.upstream import Row, json_rows
from sage_jax.data.problem import Problem

_PREVIEW = (
    "https://raw.githubusercontent.com/GAIR-NLP/AIME-Preview/"
    "7011a9eae7c4b78071f27b6f77f618d65608cfb0/eval/data/aime/"
)
_QWEN = (
    "https://raw.githubusercontent.com/QwenLM/Qwen2.5-Math/"
    "a45202bd16f1ec06f433442dc1152d0074773465/evaluation/data/"
)
_24 = "6ffc5542caeff6541fe5ca24ac72c7bf6372bc33dcd184873a4f964d12eabe91"
_25 = "9629ef6d2cb07d944edc1a198505659d6ceb49fcb03d49bff58d966859d99d9f"
_AMC = "b6b2f0a5365c18374940cc175744a62cde3bdd914a74827b52233551c6921650"


def aime24(paths: Sequence[Path]) -> list[Problem]:
    """Read both exams of 2024 from one file, whose `url` says which exam it is."""
    return [_of_2024(row) for path in paths for row in json_rows(path)]


def _of_2024(row: Row) -> Problem:
    named = re.search(r"2024_AIME_(I+)_Problems/Problem_(\d+)", row.text("url"))
    if named is None:
        raise row.fault("names no exam and problem in 'url'")
    return Problem(
        id=f"aime24-{named[1]}-{named[2]}",
        problem=row.text("problem"),
        answer=row.whole_number("answer"),
        solution=row.text("solution"),
        source=f"aime24/{named[1]}",
    )


def aime25(paths: Sequence[Path]) -> list[Problem]:
    """Read the two exams of 2025 from a file each, in the order of their problems."""
    return [
        Problem(
            id=f"aime25-{exam}-{row.place + 1}",
            problem=row.text("problem"),
            answer=row.whole_number("answer"),
            source=f"aime25/{exam}",
        )
        for exam, path in zip(("I", "II"), paths, strict=True)
        for row in json_rows(path)
    ]


def amc23(paths: Sequence[Path]) -> list[Problem]:
    """Read the rows of AMC 2023; answers are integers, which upstream writes as 27.0."""
    return [
        Problem(
            id=f"amc23-{row.text('id')}",
            problem=row.text("problem", "question"),
            answer=row.whole_number("answer"),
            source="amc23",
        )
        for path in paths
        for row in json_rows(path)
    ]


AIME24 = DataSet(
    name="aime24",
    version="1.0.0",
    description="The 30 problems of AIME I and II of 2024; answers are integers from 0 to 999.",
    homepage="https://github.com/GAIR-NLP/AIME-Preview",
    citation="American Invitational Mathematics Examination 2024, I and II. MAA.",
    licence="problems (c) Mathematical Association of America; no licence is given",
    splits={
        "test": Split(30, "aime24.jsonl", _24, (f"{_PREVIEW}test2024.jsonl",), aime24, content=_24)
    },
)
AIME25 = DataSet(
    name="aime25",
    version="1.0.0",
    description="The 30 problems of AIME I and II of 2025; answers are integers from 0 to 999.",
    homepage="https://github.com/GAIR-NLP/AIME-Preview",
    citation="American Invitational Mathematics Examination 2025, I and II. MAA.",
    licence="problems (c) Mathematical Association of America; no licence is given",
    splits={
        "test": Split(
            30,
            "aime25.jsonl",
            _25,
            (f"{_PREVIEW}test2025-I.jsonl", f"{_PREVIEW}test2025-II.jsonl"),
            aime25,
            content=_25,
        )
    },
)
AMC23 = DataSet(
    name="amc23",
    version="1.0.0",
    description="40 problems of AMC 12A and 12B of 2023, some recast for an integer answer.",
    homepage="https://github.com/QwenLM/Qwen2.5-Math",
    citation="American Mathematics Competitions 12A and 12B, 2023. MAA.",
    licence="problems (c) Mathematical Association of America; the collection MIT",
    splits={
        "test": Split(40, "amc23.jsonl", _AMC, (f"{_QWEN}amc23/test.jsonl",), amc23, content=_AMC)
    },
)
