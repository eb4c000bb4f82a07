"""Puzzles of tokens, with a vocabulary of their own, that judge themselves."""

from sage_jax.data import brackets as bracketing
from sage_jax.data import programs as choosing
from sage_jax.data.puzzle import Puzzle
from sage_jax.data.token_task import PuzzleTask


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
