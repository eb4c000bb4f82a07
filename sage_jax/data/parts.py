"""The tasks that a config can name, beside those of the user's own.

Each gives problems, a `ProblemSet`, or an object that is a `Task` itself; `data.gathering` reads
what it gives. The names below are all that a config may say.
"""

from sage_jax.data import arithmetic as sums
from sage_jax.data import brackets as puzzle
from sage_jax.data.jsonl import read_problems
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.problem_set import ProblemSet
from sage_jax.data.token_task import BracketsTask

__all__ = ["arithmetic", "brackets", "jsonl"]


def brackets(
    *, seed: int, tokenizer: object, max_prompt_length: int, max_completion_length: int
) -> BracketsTask:
    """A puzzle of tokens that judges itself: bracket three numbers to hit a target."""
    if tokenizer is not None:
        raise ValueError("'brackets' has a vocabulary of its own: it needs model.source 'random'")
    if max_prompt_length < puzzle.PROMPT_LENGTH or max_completion_length < puzzle.COMPLETION_LENGTH:
        raise ValueError(
            f"'brackets' has prompts of {puzzle.PROMPT_LENGTH} and completions of "
            f"{puzzle.COMPLETION_LENGTH} tokens: raise rollout.max_prompt_length "
            f"{max_prompt_length} or max_completion_length {max_completion_length}"
        )
    return BracketsTask(seed=seed)


# Shares of all distinct problems that are drawn for each part, and at most how many. The split is
# 4 to 1 by a hash, so that small ranges do not hit it exactly: the shares leave some room.
_TRAIN, _HELD_OUT = (0.7, 2000), (0.15, 500)


def arithmetic(
    *,
    seed: int,
    min_operand: int = 10,
    max_operand: int = 99,
    operations: tuple[sums.Operation, ...] = ("add", "subtract"),
) -> ProblemSet:
    """Procedural sums in words such as "What is 23 + 45?", with worked solutions in four styles."""
    if not 0 <= min_operand < max_operand <= 10**6:
        raise ValueError(
            f"min_operand {min_operand} and max_operand {max_operand} must satisfy "
            "0 <= min_operand < max_operand <= 1000000"
        )

    def draw(split: sums.Split, share: float, most: int) -> list[Problem]:
        distinct = sums.count_problems(operations, low=min_operand, high=max_operand)
        count = max(1, min(most, int(share * distinct)))
        return sums.make_problems(
            seed, count, operations=operations, low=min_operand, high=max_operand, split=split
        )

    return ProblemSet(
        draw("train", *_TRAIN), draw("held_out", *_HELD_OUT), worked=_any_style, reward="number"
    )


def _any_style(problem: Problem, draw: int) -> str:
    styles = list(sums.solutions(problem).values())
    return styles[draw % len(styles)]


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
    from sage_jax.data import builders  # TFDS takes seconds.

    source = builders.data_source(
        {"problems": path}, split="problems", data_dir=prepared_dir, source_prefix=prefix
    )
    return [builders.as_problem(item) for item in source]
