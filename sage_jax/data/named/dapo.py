"""DAPO-Math-17k: problems with integer answers, for training by rewards."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sage_jax.data.named.data_set import DataSet, Split
from sage_jax.data.named.upstream import Row
from sage_jax.data.problem import DataError, Problem

_URL = (
    "https://raw.githubusercontent.com/MasterVito/SvS/"
    "9fd8f35375b31b8632b52e715296c264a3ad4176/data/dapo_math_17k.parquet"
)
# What stands around the statements in the original set.
_BEFORE = (
    "Solve the following math problem step by step. The last line of your response should be of "
    "the form Answer: $Answer (without quotes) where $Answer is the answer to the problem."
)
_BEHIND = 'Remember to put your answer on its own line after "Answer:".'
_CHINESE = re.compile("[\u4e00-\u9fff]")
# English, with a few stray Chinese characters.
_ENGLISH = {"dapo-13980", "dapo-13983", "dapo-14287"}


def dapo(paths: Sequence[Path]) -> list[Problem]:
    """Read the rows: one for each statement, none of those whose copies disagree on the answer.

    Raises:
        DataError: a file is not of the form that is known.
    """
    kept: dict[str, Problem] = {}
    disputed = set()
    for path in paths:
        for row in _rows(path):
            problem = _problem(row)
            first = kept.setdefault(problem.problem, problem)
            if first.answer != problem.answer:
                disputed.add(problem.problem)
    return [problem for text, problem in kept.items() if text not in disputed]


def _problem(row: Row) -> Problem:
    text = row.text("problem").removeprefix(_BEFORE).removesuffix(_BEHIND).strip()
    id = f"dapo-{row.place}"  # Rows are in the order of their index, which has no gap.
    language = "zh" if _CHINESE.search(text) and id not in _ENGLISH else "en"
    return Problem(
        id=id, problem=text, answer=row.text("answer"), source=f"dapo_math_17k/{language}"
    )


def _rows(path: Path) -> Iterator[Row]:
    """Statement and answer of each row of a Parquet file."""
    from pyarrow import parquet  # Takes a while; TFDS brings it.

    try:
        rows: list[Any] = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own are among them
        raise DataError(f"{path}: is no Parquet file: {error}") from error
    for place, row in enumerate(rows):
        where = f"{path}, row {place + 1}"
        try:
            text, answer = row["prompt"][-1]["content"], row["reward_model"]["ground_truth"]
        except (KeyError, TypeError, IndexError):
            raise Row(row, where, place).fault(
                "has no prompt[-1].content or reward_model.ground_truth"
            ) from None
        yield Row({"problem": text, "answer": answer}, where, place)


DAPO_MATH_17K = DataSet(
    name="dapo_math_17k",
    version="1.0.0",
    description="17,243 problems with integer answers, 14,034 in English and 3,209 in Chinese.",
    homepage="https://github.com/BytedTsinghua-SIA/DAPO",
    citation="""@article{yu2025dapo,
  title={DAPO: An Open-Source LLM Reinforcement Learning System at Scale},
  author={Yu, Qiying and Zhang, Zheng and Zhu, Ruofei and Yuan, Yufeng and others},
  journal={arXiv preprint arXiv:2503.14476},
  year={2025}
}""",
    licence="Apache-2.0",
    splits={
        "train": Split(
            17243,
            "dapo_math_17k.jsonl.gz",
            "b585a49e2a5f0789be50a4d7e2f56701884a4d7de0163ce2aac36dd7cfe56d06",
            (_URL,),
            dapo,
            content="d904efc4379a9063ecd9a8c89a65184f008e2ec436a32cace0ff12fe533e58c0",
        )
    },
)
