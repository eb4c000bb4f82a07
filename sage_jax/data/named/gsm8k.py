"""GSM8K: word problems of the first school years."""

from collections.abc import Sequence
from pathlib import Path

from sage_jax.data.named.data_set import Convert, DataSet, Split
from sage_jax.data.named.upstream import json_rows
from sage_jax.data.problem import Problem

_FOLDER = (
    "https://raw.githubusercontent.com/openai/grade-school-math/"
    "3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data/"
)


def converted(split: str) -> Convert:
    """The reader of a split: the answer is the number behind `####`, without commas."""

    def convert(paths: Sequence[Path]) -> list[Problem]:
        return [
            Problem(
                id=f"gsm8k-{split}-{row.place}",
                problem=row.text("question"),
                answer=row.text("answer").rpartition("####")[2].strip().replace(",", ""),
                solution=row.text("answer"),
                source=f"gsm8k/{split}",
            )
            for path in paths
            for row in json_rows(path)
        ]

    return convert


def _split(name: str, rows: int, sha256: str) -> Split:
    url = f"{_FOLDER}{name}.jsonl"
    return Split(rows, f"gsm8k_{name}.jsonl", sha256, (url,), converted(name), content=sha256)


GSM8K = DataSet(
    name="gsm8k",
    version="1.0.0",
    description="8,792 word problems of grade-school arithmetic, with worked solutions.",
    homepage="https://github.com/openai/grade-school-math",
    citation="""@article{cobbe2021gsm8k,
  title={Training Verifiers to Solve Math Word Problems},
  author={Cobbe, Karl and Kosaraju, Vineet and Bavarian, Mohammad and Chen, Mark and Jun, Heewoo
    and Kaiser, Lukasz and Plappert, Matthias and Tworek, Jerry and Hilton, Jacob and Nakano,
    Reiichiro and Hesse, Christopher and Schulman, John},
  journal={arXiv preprint arXiv:2110.14168},
  year={2021}
}""",
    licence="MIT",
    splits={
        "train": _split(
            "train", 7473, "e994d00117149c90ff44660683304e6123b461b3f143bffe3f2856df81828bd0"
        ),
        "test": _split(
            "test", 1319, "24fec8e92d16c6a0c750a836fee449656ecd05e4ad8a97c4f18c2a232299451c"
        ),
    },
)
