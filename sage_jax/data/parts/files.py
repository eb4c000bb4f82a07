"""Problems that are read from files of the user's own: JSON Lines, CSV, Parquet.

All but `jsonl` in this project's own columns take the same words of how rows become problems:
`columns`, `answer_from`, `source`, `where`, `limit`, `shuffle_seed` and `max_bad_share`.
"""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sage_jax.data.jsonl import of_source, read_problems
from sage_jax.data.parts.reading import read_by, without
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.problem_set import ProblemSet
from sage_jax.data.rows import Found, Layout, Table, limited, parted, problem_set, read_table
from sage_jax.data.tables import files_of, open_files, read_csv, read_json_lines
from sage_jax.data.tables.shards import Line


def jsonl(
    *,
    train_file: str = "",
    eval_file: str = "",
    columns: dict[str, str] | None = None,
    answer_from: str = "",
    source: str = "",
    where: dict[str, Any] | None = None,
    limit: int = 0,
    shuffle_seed: int | None = None,
    max_bad_share: float = 0.0,
    source_prefix: str = "",
    exclude_ids: tuple[str, ...] = (),
    prepared_dir: str = "",
) -> ProblemSet:
    """Problems of JSON Lines, plain or gzipped: of one file to train on, and of one held out.

    Without `eval_file` a share is held out (`held_out_share`); without `train_file` there is
    nothing to train on, as `eval.suites` has it. A pattern, as `data/*.jsonl`, names several files.
    Files in this project's own columns (`id`, `problem`, `answer`, perhaps `source` and `solution`)
    need nothing further. Others are read by `columns` and the words behind it, which are those of
    `csv`.

    Trained on are rows whose `source` begins with `source_prefix`, e.g. `dapo_math_17k/en`, but for
    those in `exclude_ids`, as of rows that also stand in an evaluation set. With `prepared_dir`
    files in our own columns are kept in that folder as TFDS ArrayRecord.
    """
    layout, choice = read_by(
        columns, answer_from, source, where, limit, shuffle_seed, max_bad_share
    )
    if layout == Layout() and not (where or max_bad_share):
        _refuse_none(train_file, eval_file)
        train, other = (
            Found(_own(path, prepared_dir)) if path else None for path in (train_file, eval_file)
        )
    else:
        _refuse_prepared(prepared_dir)
        tables = _tables(train_file, eval_file, read_json_lines, "line")
        train, other = (one and read_table(one, layout, choice) for one in tables)
    if train is not None:
        chosen = of_source(train.problems, source_prefix, train_file)
        train = train._replace(problems=without(chosen, exclude_ids, train_file))
        train = limited(train, choice, train_file)
    return parted(train, other)


def _own(pattern: str, prepared_dir: str) -> list[Problem]:
    """Problems of files in this project's own columns."""
    files = files_of(pattern)
    if not prepared_dir:
        return [one for file in files for one in read_problems(file)]
    from sage_jax.data.cached import read_cached  # TFDS takes seconds.

    return [one for file in files for one in read_cached(file, data_dir=prepared_dir)]


def _refuse_none(train_file: str, eval_file: str) -> None:
    if not (train_file or eval_file):
        raise ValueError(
            "train_file must be given; or an eval_file alone, of what is only evaluated on"
        )


def _refuse_prepared(prepared_dir: str) -> None:
    if prepared_dir:
        raise DataError(
            "task.prepared_dir: only files in this project's own columns are kept there: leave it "
            "out, or `columns` and the words behind it"
        )


def csv(
    *,
    train_file: str = "",
    eval_file: str = "",
    columns: dict[str, str] | None = None,
    answer_from: str = "",
    source: str = "",
    where: dict[str, Any] | None = None,
    limit: int = 0,
    shuffle_seed: int | None = None,
    max_bad_share: float = 0.0,
    delimiter: str = "",
) -> ProblemSet:
    r"""Problems of tables in text: CSV or TSV, plain or gzipped, with a header.

    Without `eval_file` a share is held out (`held_out_share`); without `train_file` there is
    nothing to train on, as `eval.suites` has it. A pattern, as `data/*.csv`, names several files.

    `columns` says where what lies, as `{problem: question, answer: final}`: paths, so that
    `reward_model.ground_truth` and `turns.0.content` lead into what is nested. `answer_from` cuts
    the answer out of its column, or else of the solution: `hashes` (behind ####), `boxed` (in the
    last \boxed{}) or a regular expression with one group. `source` is said of all problems.
    `where` keeps rows by value, as `{level: [4, 5]}`, `limit` takes so many problems to train on,
    the first or by `shuffle_seed` any. Rows that cannot be read are told, and stop the run where
    they are more than the share `max_bad_share`. Cells lie between `delimiter`; by default what the
    header holds of comma, semicolon, tab and bar.
    """
    layout, choice = read_by(
        columns, answer_from, source, where, limit, shuffle_seed, max_bad_share
    )
    read = functools.partial(read_csv, delimiter=delimiter)
    return problem_set(*_tables(train_file, eval_file, read, "line"), layout, choice)


def parquet(
    *,
    train_file: str = "",
    eval_file: str = "",
    columns: dict[str, str] | None = None,
    answer_from: str = "",
    source: str = "",
    where: dict[str, Any] | None = None,
    limit: int = 0,
    shuffle_seed: int | None = None,
    max_bad_share: float = 0.0,
) -> ProblemSet:
    """Problems of Parquet files on disk, as the field and its hub keep them.

    Without `eval_file` a share is held out (`held_out_share`); without `train_file` there is
    nothing to train on, as `eval.suites` has it. A pattern, as `data/train-*.parquet`, names
    several files. A column that holds turns, as `prompt` or `messages`, is read as such. All else
    is as in `csv`.
    """
    from sage_jax.data.tables.parquet import read_parquet

    layout, choice = read_by(
        columns, answer_from, source, where, limit, shuffle_seed, max_bad_share
    )
    return problem_set(*_tables(train_file, eval_file, read_parquet, "row"), layout, choice)


def _tables(
    train_file: str, eval_file: str, read: Callable[[Path], Iterable[Line]], unit: str
) -> tuple[Table | None, Table | None]:
    """What to train on and what is held out, with ids that are unlike."""
    _refuse_none(train_file, eval_file)
    train = open_files(train_file, read, unit=unit) if train_file else None
    other = open_files(eval_file, read, unit=unit) if eval_file else None
    if train and other and {row.id for row in train.rows} & {row.id for row in other.rows}:
        other = open_files(eval_file, read, unit=unit, mark="held-out-")
    return train, other
