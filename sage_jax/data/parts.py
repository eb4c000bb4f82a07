"""The tasks that a config can name, beside those of the user's own.

Each gives problems, a `ProblemSet`, or an object that is a `Task` itself; `data.gathering` reads
what it gives. The names below are all that a config may say.
"""

from collections.abc import Sequence

import numpy as np

from sage_jax.data import arithmetic as sums
from sage_jax.data import brackets as bracketing
from sage_jax.data import many_ways as ways
from sage_jax.data import programs as choosing
from sage_jax.data.jsonl import read_problems
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.problem_set import ProblemSet, Worked
from sage_jax.data.puzzle import Puzzle
from sage_jax.data.token_task import PuzzleTask

__all__ = ["arithmetic", "brackets", "jsonl", "many_ways", "programs"]


def brackets(
    *, seed: int, tokenizer: object, max_prompt_length: int, max_completion_length: int
) -> PuzzleTask:
    """A puzzle of tokens that judges itself: bracket three numbers to hit a target."""
    _refuse_unfit(bracketing.PUZZLE, tokenizer, max_prompt_length, max_completion_length)
    return PuzzleTask(bracketing.PUZZLE, seed=seed)


def programs(
    *,
    seed: int,
    tokenizer: object,
    max_prompt_length: int,
    max_completion_length: int,
    programs: int = 8,
    odds: tuple[float, ...] = (),
    noise: float = 0.16,
    modulus: int = 11,
) -> PuzzleTask:
    """A puzzle of tokens: one chooses a program, five compute, and demonstrations slip.

    `odds` are those of each program; none take the puzzle's own. Each value of a demonstration is
    wrong with probability `noise`. Numbers are those below `modulus`.
    """
    most = len(choosing.CODES)
    if not 2 <= programs <= most:
        raise ValueError(f"programs {programs} must lie in 2..{most}")
    if odds and (len(odds) != programs or min(odds) <= 0 or abs(sum(odds) - 1) > 1e-6):
        raise ValueError(f"odds {[*odds]} must be {programs} positive numbers whose sum is 1")
    if not 0 <= noise < 1:
        raise ValueError(f"noise {noise:g} must be at least 0 and below 1")
    if not 5 <= modulus <= 97:
        raise ValueError(f"modulus {modulus} must lie in 5..97")
    puzzle = choosing.puzzle(choosing.Odds(odds or choosing.cut(programs), noise, modulus))
    _refuse_unfit(puzzle, tokenizer, max_prompt_length, max_completion_length)
    return PuzzleTask(puzzle, seed=seed)


def _refuse_unfit(puzzle: Puzzle, tokenizer: object, prompt: int, completion: int) -> None:
    """Refuse a model with a vocabulary of its own, and lengths that a puzzle does not fit in."""
    if tokenizer is not None:
        raise ValueError(
            f"{puzzle.name!r} has a vocabulary of its own: it needs model.source 'random'"
        )
    if prompt < puzzle.prompt_length or completion < puzzle.completion_length:
        raise ValueError(
            f"{puzzle.name!r} has prompts of {puzzle.prompt_length} and completions of "
            f"{puzzle.completion_length} tokens: raise rollout.max_prompt_length "
            f"{prompt} or max_completion_length {completion}"
        )


# Shares of all distinct problems that are drawn for each part, and at most how many. The split is
# 4 to 1 by a hash, so that small ranges do not hit it exactly: the shares leave some room.
_TRAIN, _HELD_OUT = (0.7, 2000), (0.15, 500)


def arithmetic(
    *,
    seed: int,
    min_operand: int = 10,
    max_operand: int = 99,
    operations: tuple[sums.Operation, ...] = ("add", "subtract"),
    odds: tuple[float, float, float, float] = (0.25, 0.25, 0.25, 0.25),
) -> ProblemSet:
    """Procedural sums in words such as "What is 23 + 45?", with worked solutions in four styles.

    The style in which a right completion works is its mode. `odds` are those with which a
    demonstration is direct, split, round or reorder.
    """
    if min(odds) < 0 or abs(sum(odds) - 1) > 1e-6:
        raise ValueError(f"odds {[*odds]} must be four numbers of 0 or more whose sum is 1")
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
        draw("train", *_TRAIN),
        draw("held_out", *_HELD_OUT),
        worked=_by_odds(seed, odds),
        reward="number",
        mode=sums.style_of,
    )


def _by_odds(seed: int, odds: Sequence[float]) -> Worked:
    """Worked solutions, the style of each drawn anew."""
    chances = np.asarray(odds, np.float64) / np.sum(odds)

    def worked(problem: Problem, draw: int) -> str:
        style = np.random.default_rng([seed, draw]).choice(len(chances), p=chances)
        return list(sums.solutions(problem).values())[style]

    return worked


def many_ways(
    *,
    seed: int,
    domains: tuple[ways.Name, ...] = ("change", "colours", "countdown", "orders", "paths"),
    levels: tuple[int, ...] = (1,),
    num_train: int = 400,
    num_held_out: int = 100,
) -> ProblemSet:
    """Procedural problems in words with 2 to 100 right answers each, and a mode for every one.

    `num_train` and `num_held_out` problems of each of the `domains` at each of the `levels`, 1 to
    5: pay a sum in coins, colour a map, reach a number by arithmetic, put tasks in order, find a
    way.
    """
    if not domains or not levels or not {*levels} <= {*ways.LEVELS}:
        raise ValueError(f"domains {[*domains]} and levels {[*levels]} must name some, levels 1..5")
    if min(num_train, num_held_out) < 1:
        raise ValueError(
            f"num_train {num_train} and num_held_out {num_held_out} must be at least 1"
        )

    def draw(count: int, held_out: bool) -> list[Problem]:
        return [
            problem
            for domain in domains
            for level in levels
            for problem in ways.make_problems(
                seed, count, domain=domain, level=level, held_out=held_out
            )
        ]

    return ProblemSet(
        draw(num_train, False),
        draw(num_held_out, True),
        worked=ways.worked,
        reward=ways.judge,
        mode=ways.way_of,
    )


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
