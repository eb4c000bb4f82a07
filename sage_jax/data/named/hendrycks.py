"""MATH, and the five hundred of its test problems that are left when one trains on the others."""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from sage_jax.data.named.data_set import Convert, DataSet, Split
from sage_jax.data.named.upstream import Row, json_rows
from sage_jax.data.problem import DataError, Problem

# Of the archive of Hendrycks et al., as ParlAI publishes it. The address of the authors no longer
# answers everywhere; the Internet Archive keeps its bytes.
_TAR = "0fbe4fad0df66942db6c221cdcc95b298cc7f4595a2f0f518360cce84e90d9ac"
_TAR_URL = (
    "https://web.archive.org/web/20240101000000id_/"
    "https://people.eecs.berkeley.edu/~hendrycks/MATH.tar"
)
_500 = "14c6b7b0ea22807840e9ae793719fe085437857a126112b696354fd830d7fb9c"
_500_URL = (
    "https://raw.githubusercontent.com/hkust-nlp/simpleRL-reason/"
    "cf1c7858bfc145a27aa733e75d930d34f0d318a6/examples/simplelr_math_eval/data/math500/test.jsonl"
)
# `\boxed 42` is a box of 4 to TeX, and of 42 to those who wrote it.
_BARE = re.compile(r"\\(?:boxed|fbox)\s+([^\s{}$][^{}$]*?)\s*(?:\$|\.?\s*\Z)")


def math500(paths: Sequence[Path]) -> list[Problem]:
    """Read the rows of MATH-500, whose `unique_id` is as test/algebra/12.json."""
    return [_of_500(row) for path in paths for row in json_rows(path)]


def _of_500(row: Row) -> Problem:
    subject, number = _place(row.text("unique_id"), row)
    return Problem(
        id=f"math500-{subject}-{number}",
        problem=row.text("problem"),
        answer=row.text("answer"),
        solution=row.text("solution"),
        source=f"math500/{subject}/level-{_level(row)}",
    )


def math(split: str) -> Convert:
    r"""The reader of a split of the archive: the answer is what the last `\boxed{}` holds."""

    def convert(paths: Sequence[Path]) -> list[Problem]:
        return [_of_math(row, split) for path in paths for row in _members(path, split)]

    return convert


def _of_math(row: Row, split: str) -> Problem:
    subject, number = _place(row.where.partition("MATH/")[2], row)
    return Problem(
        id=f"math-{split}-{subject}-{number}",
        problem=row.text("problem"),
        answer=_answer(row),
        solution=row.text("solution"),
        source=f"math/{subject}/level-{_level(row)}",
    )


def _answer(row: Row) -> str:
    try:
        return row.boxed("solution")
    except DataError:
        if bare := _BARE.findall(row.text("solution")):
            return bare[-1].strip()
        raise


def _members(path: Path, split: str) -> Iterator[Row]:
    """The files of a split in the archive, by subject and number."""
    try:
        with path.open("rb") as file, tarfile.open(fileobj=io.BytesIO(file.read())) as archive:
            names = [name for name in archive.getnames() if _NAME.fullmatch(name)]
            names = [name for name in names if f"/{split}/" in name]
            for place, name in enumerate(sorted(names, key=_order)):
                member = archive.extractfile(name)
                fields = json.loads(member.read()) if member else {}
                yield Row(fields, f"{path}, {name}", place)
    except (OSError, tarfile.TarError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: is not the archive of MATH: {error}") from error


_NAME = re.compile(r"MATH/(?:train|test)/[a-z_]+/\d+\.json")


def _order(name: str) -> tuple[str, int]:
    _, _, subject, file = name.split("/")
    return subject, int(file.partition(".")[0])


def _place(name: str, row: Row) -> tuple[str, str]:
    """Subject and number of a file, as test/algebra/12.json."""
    found = re.fullmatch(r"(?:train|test)/([a-z_]+)/(\d+)\.json", name)
    if found is None:
        raise row.fault(f"has the name {name[:60]!r}, which is not as test/algebra/12.json")
    return found[1], found[2]


def _level(row: Row) -> str:
    return row.text("level").removeprefix("Level ")


_CITATION = """@article{hendrycks2021math,
  title={Measuring Mathematical Problem Solving With the MATH Dataset},
  author={Hendrycks, Dan and Burns, Collin and Kadavath, Saurav and Arora, Akul and Basart, Steven
    and Tang, Eric and Song, Dawn and Steinhardt, Jacob},
  journal={NeurIPS},
  year={2021}
}"""
MATH = DataSet(
    name="math",
    version="1.0.0",
    description="12,500 problems of mathematics competitions, with worked solutions.",
    homepage="https://github.com/hendrycks/math",
    citation=_CITATION,
    licence="MIT",
    splits={
        "train": Split(7500, "MATH.tar", _TAR, (_TAR_URL,), math("train"), content=None),
        "test": Split(5000, "MATH.tar", _TAR, (_TAR_URL,), math("test"), content=None),
    },
)
MATH500 = DataSet(
    name="math500",
    version="1.0.0",
    description="500 test problems of MATH, chosen for PRM800K, with worked solutions.",
    homepage="https://github.com/openai/prm800k",
    citation=_CITATION
    + """
@article{lightman2023lets,
  title={Let's Verify Step by Step},
  author={Lightman, Hunter and Kosaraju, Vineet and Burda, Yura and Edwards, Harri and Baker, Bowen
    and Lee, Teddy and Leike, Jan and Schulman, John and Sutskever, Ilya and Cobbe, Karl},
  journal={arXiv preprint arXiv:2305.20050},
  year={2023}
}""",
    licence="MIT",
    splits={"test": Split(500, "math500.jsonl", _500, (_500_URL,), math500, content=_500)},
)
