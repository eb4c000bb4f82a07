"""Problems of data sets by name, in any columns: of Hugging Face's hub, and of TFDS."""

from pathlib import Path
from typing import Any

from sage_jax.data.parts.files import parquet
from sage_jax.data.parts.reading import read_by
from sage_jax.data.problem import DataError
from sage_jax.data.problem_set import ProblemSet
from sage_jax.data.rows import problem_set


def hf(
    *,
    path: str,
    name: str = "",
    split: str = "train",
    eval_split: str = "",
    revision: str = "",
    columns: dict[str, str] | None = None,
    answer_from: str = "",
    source: str = "",
    where: dict[str, Any] | None = None,
    limit: int = 0,
    shuffle_seed: int | None = None,
    max_bad_share: float = 0.0,
) -> ProblemSet:
    """Problems of a data set of Hugging Face's hub, ORG/NAME, or in a folder (extra `[hf]`).

    Trained on is `split` of the configuration `name`, and `eval_split` is held out; without one a
    share of `split` is (`held_out_share`). Either may be a part, as `train[:500]`. `revision` is a
    commit, tag or branch; name a commit where runs are to be repeated. A Parquet file on disk is
    read without the extra. The words behind it are those of `csv`.
    """
    if path.endswith(".parquet") and Path(path).is_file():
        _refuse_splits(path, name, split, eval_split, revision)
        return parquet(
            train_file=path,
            columns=columns,
            answer_from=answer_from,
            source=source,
            where=where,
            limit=limit,
            shuffle_seed=shuffle_seed,
            max_bad_share=max_bad_share,
        )
    from sage_jax.data.tables.hub import read_hub

    layout, choice = read_by(
        columns, answer_from, source, where, limit, shuffle_seed, max_bad_share
    )
    train, other = (
        read_hub(path, name=name, split=one, revision=revision) if one else None
        for one in (split, eval_split)
    )
    return problem_set(train, other, layout, choice)


def _refuse_splits(path: str, name: str, split: str, eval_split: str, revision: str) -> None:
    given = {"name": name, "eval_split": eval_split, "revision": revision}
    given["split"] = "" if split == "train" else split
    if odd := next((field for field, value in given.items() if value), ""):
        raise DataError(
            f"task.{odd}: {path} is one file, which has none: leave it out, or take {{use: "
            "parquet, train_file: ..., eval_file: ...}"
        )


def tfds(
    *,
    name: str,
    split: str = "train",
    eval_split: str = "",
    data_dir: str = "",
    columns: dict[str, str] | None = None,
    answer_from: str = "",
    source: str = "",
    where: dict[str, Any] | None = None,
    limit: int = 0,
    shuffle_seed: int | None = None,
    max_bad_share: float = 0.0,
) -> ProblemSet:
    """Problems of any data set of TensorFlow Datasets, prepared once, as ArrayRecord.

    Trained on is `split` of `name`, which may go on with configuration and version, as
    `NAME/CONFIG:1.0.0`, and `eval_split` is held out; without one a share of `split` is
    (`held_out_share`). Prepared files lie in `data_dir`, by default TFDS's own folder. The words
    behind it are those of `csv`.
    """
    from sage_jax.data.tables.tfds import read_tfds  # TFDS takes seconds.

    layout, choice = read_by(
        columns, answer_from, source, where, limit, shuffle_seed, max_bad_share
    )
    train, other = (
        read_tfds(name, split=one, data_dir=data_dir) if one else None
        for one in (split, eval_split)
    )
    return problem_set(train, other, layout, choice)
