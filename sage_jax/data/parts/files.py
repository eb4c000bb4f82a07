"""Problems that are read from files."""

from sage_jax.data.jsonl import read_problems
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.problem_set import ProblemSet


def jsonl(
    *,
    train_file: str,
    eval_file: str,
    source_prefix: str = "",
    exclude_ids: tuple[str, ...] = (),
    prepared_dir: str = "",
) -> ProblemSet:
    """Problems of two files of JSON Lines, plain or gzipped: to train on, and held out.

    Trained on are rows whose `source` begins with `source_prefix`, e.g. `dapo_math_17k/en`, but for
    those in `exclude_ids`, as of rows that also stand in an evaluation set. With `prepared_dir`
    files are kept in that folder as TFDS ArrayRecord.
    """
    train = _file(train_file, source_prefix, prepared_dir)
    missing = {*exclude_ids} - {one.id for one in train}
    if missing:
        raise DataError(f"task.exclude_ids: {train_file} has no problem {sorted(missing)[0]!r}")
    kept = [one for one in train if one.id not in exclude_ids]
    return ProblemSet(kept, _file(eval_file, "", prepared_dir))


def _file(path: str, source_prefix: str, prepared_dir: str) -> list[Problem]:
    prefix = source_prefix or None
    if not prepared_dir:
        return read_problems(path, source_prefix=prefix)
    from sage_jax.data.cached import read_cached  # TFDS takes seconds.

    return read_cached(path, data_dir=prepared_dir, source_prefix=prefix)
