"""Minerva: problems of courses in science and engineering."""

from collections.abc import Sequence
from pathlib import Path

from sage_jax.data.named.data_set import DataSet, Split
from sage_jax.data.named.upstream import json_rows
from sage_jax.data.problem import Problem

_URL = (
    "https://raw.githubusercontent.com/QwenLM/Qwen2.5-Math/"
    "a45202bd16f1ec06f433442dc1152d0074773465/evaluation/data/minerva_math/test.jsonl"
)
_SHA256 = "fe93664bf73a814270375d7e236f67c6d8161095279b739282aa9ab20f19d142"


def minerva(paths: Sequence[Path]) -> list[Problem]:
    r"""Read the rows: the answer is what the solution's `\boxed{}` holds, the source the course."""
    return [
        Problem(
            id=f"minerva-{row.text('idx')}",
            problem=row.text("problem"),
            answer=row.boxed("solution"),
            solution=row.text("solution"),
            # Of "Relativity (8.033 Fall 2006)" without the number of the course.
            source=f"minerva/{row.text('type').partition(' (')[0]}",
        )
        for path in paths
        for row in json_rows(path)
    ]


MINERVA = DataSet(
    name="minerva",
    version="1.0.0",
    description="272 problems of MIT OpenCourseWare, with worked solutions.",
    homepage="https://github.com/QwenLM/Qwen2.5-Math",
    citation="""@article{lewkowycz2022minerva,
  title={Solving Quantitative Reasoning Problems with Language Models},
  author={Lewkowycz, Aitor and Andreassen, Anders and Dohan, David and Dyer, Ethan and Michalewski,
    Henryk and Ramasesh, Vinay and Slone, Ambrose and Anil, Cem and Schlag, Imanol and Gutman-Solo,
    Theo and Wu, Yuhuai and Neyshabur, Behnam and Gur-Ari, Guy and Misra, Vedant},
  journal={arXiv preprint arXiv:2206.14858},
  year={2022}
}""",
    licence="content CC BY-NC-SA 4.0 (MIT OpenCourseWare); the collection MIT",
    splits={"test": Split(272, "minerva.jsonl", _SHA256, (_URL,), minerva, content=_SHA256)},
)
