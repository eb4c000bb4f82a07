"""A puzzle of tokens as a task: prompts drawn and completions judged by compiled functions."""

import functools

import jax
import numpy as np

from sage_jax.data.problem import DataError
from sage_jax.data.puzzle import Puzzle, which
from sage_jax.data.tasks import Demonstrations, Judged, Prompts, Worked

# Folded into the seed's key; part of a run's identity.
_TRAIN, _HELD_OUT, _DEMONSTRATIONS = 5, 1, 2
_HELD_OUT_DRAWS = 4096


class PuzzleTask:
    """Problems of a puzzle, such as `brackets.PUZZLE`, by a seed."""

    def __init__(self, puzzle: Puzzle, *, seed: int):
        self._puzzle, self._key = puzzle, jax.random.key(seed)

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return self._puzzle.vocab_size

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """The token that ends a completion."""
        return (self._puzzle.end,)

    @property
    def pad_id(self) -> int:
        """The same token."""
        return self._puzzle.end

    def train_prompts(self, index: int, count: int) -> Prompts:
        """The `index`-th batch of training prompts."""
        problems = _draw(self._puzzle, self._key, _TRAIN, index, count, False)
        return self._prompts(np.asarray(problems.prompts))

    def held_out(self, count: int) -> Prompts:
        """The first `count` of the seed's held-out problems, whose operands training never draws.

        Raises:
            DataError: if there are not that many.
        """
        problems = _draw(self._puzzle, self._key, _HELD_OUT, 0, _HELD_OUT_DRAWS, True)
        drawn = np.asarray(problems.prompts)
        _, first = np.unique(drawn, axis=0, return_index=True)
        if count > len(first):
            raise DataError(f"eval.num_problems {count} is more than the {len(first)} held out")
        return self._prompts(drawn[np.sort(first)[:count]])

    def ask(self, text: str, answer: str) -> Prompts:
        """Token ids as a prompt; whatever is right by them is right, so no answer is needed.

        Raises:
            DataError: if it is anything else.
        """
        words, length = text.split(), self._puzzle.prompt_length
        known = all(word.isdecimal() and int(word) < self.vocab_size for word in words)
        if not known or len(words) != length:
            raise DataError(
                f"prompt {text!r}: this task takes {length} token ids below {self.vocab_size}"
            )
        return self._prompts(np.array([[int(word) for word in words]], np.int32))

    def demonstrations(self, index: int, count: int) -> Demonstrations:
        """What the puzzle shows: planted answers, with the noise that belongs to them."""
        problems = _demonstrate(self._puzzle, self._key, index, count)
        prompts, planted = np.asarray(problems.prompts), np.asarray(problems.planted)
        whole = np.ones(planted.shape, np.float32)
        return Demonstrations(prompts, np.ones_like(prompts, bool), planted, whole)

    def judge(self, prompts: Prompts, tokens: np.ndarray, mask: np.ndarray) -> Judged:
        """1 for a right answer; what it answers are the tokens that choose."""
        repeated = np.repeat(prompts.tokens, len(tokens) // len(prompts.ids), axis=0)
        found = np.asarray(_which(self._puzzle, repeated, tokens, mask))
        correct = found >= 0
        answers = [self.spell(row[list(self._puzzle.choosing)]) for row in tokens]
        return Judged(
            correct.astype(np.float32),
            correct,
            answers,
            ["correct" if right else "wrong" for right in correct],
            modes=[self._puzzle.modes[place] if place >= 0 else "" for place in found],
        )

    def right_answers(self, prompts: Prompts) -> Worked:
        """All worked answers of each problem, right and wrong; see `tasks.Worked`."""
        tokens, right = map(np.asarray, _solutions(self._puzzle, prompts.tokens))
        return Worked(tokens, np.ones(tokens.shape, np.float32), right, self._puzzle.modes)

    def gold(self, id: str) -> str:
        """A problem has several right answers, so none stands for all."""
        return ""

    def spell(self, tokens: np.ndarray) -> str:
        """Tokens as text."""
        return self._puzzle.spell(tokens)

    def judged_text(self, tokens: np.ndarray, id: str) -> str:
        """The completion, which is all that is judged."""
        return self.spell(tokens)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _prompts(self, tokens: np.ndarray) -> Prompts:
        """Prompts named by their tokens, so that one name is one problem under any seed."""
        ids = [f"{self._puzzle.name}-" + "-".join(map(str, row)) for row in tokens.tolist()]
        return Prompts(ids, tokens, np.ones_like(tokens, bool))


@functools.partial(jax.jit, static_argnums=0)
def _solutions(puzzle, prompts):
    return puzzle.solutions(prompts)


@functools.partial(jax.jit, static_argnums=0)
def _which(puzzle, prompts, tokens, mask):
    return which(puzzle.solutions(prompts), tokens, mask)


@functools.partial(jax.jit, static_argnums=(0, 4, 5))
def _draw(puzzle, key, purpose, index, count, hold_out):
    return puzzle.draw(_folded(key, purpose, index), count, hold_out)


@functools.partial(jax.jit, static_argnums=(0, 3))
def _demonstrate(puzzle, key, index, count):
    return puzzle.demonstrate(_folded(key, _DEMONSTRATIONS, index), count)


def _folded(key, purpose, index):
    return jax.random.fold_in(jax.random.fold_in(key, purpose), index)
