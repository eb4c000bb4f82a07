"""The bracket puzzle as a task: prompts drawn and completions judged by compiled functions."""

import functools

import jax
import numpy as np

from sage_jax.data import brackets
from sage_jax.data.problem import DataError
from sage_jax.data.tasks import Demonstrations, Judged, Prompts

# Folded into the seed's key; part of a run's identity.
_TRAIN, _HELD_OUT, _DEMONSTRATIONS = 5, 1, 2
_HELD_OUT_DRAWS = 4096


class BracketsTask:
    """See `sage_jax.data.brackets`, the pure functions underneath."""

    vocab_size = brackets.VOCAB_SIZE
    stop_ids = (brackets.END,)
    pad_id = brackets.END

    def __init__(self, *, seed: int):
        self._key = jax.random.key(seed)

    def train_prompts(self, index: int, count: int) -> Prompts:
        """The `index`-th batch of training prompts."""
        problems = _draw(self._key, _TRAIN, index, count, brackets.PLAY, False)
        return _prompts(np.asarray(problems.prompts))

    def held_out(self, count: int) -> Prompts:
        """The first `count` of the seed's held-out problems, whose operands training never draws.

        Raises:
            DataError: if there are not that many.
        """
        problems = _draw(self._key, _HELD_OUT, 0, _HELD_OUT_DRAWS, brackets.PLAY, True)
        drawn = np.asarray(problems.prompts)
        _, first = np.unique(drawn, axis=0, return_index=True)
        if count > len(first):
            raise DataError(f"eval.num_problems {count} is more than the {len(first)} held out")
        return _prompts(drawn[np.sort(first)[:count]])

    def ask(self, text: str, answer: str) -> Prompts:
        """Six token ids as a prompt; whatever is right by them is right, so no answer is needed.

        Raises:
            DataError: if it is anything else.
        """
        words, length = text.split(), brackets.PROMPT_LENGTH
        known = all(word.isdecimal() and int(word) < self.vocab_size for word in words)
        if not known or len(words) != length:
            raise DataError(
                f"prompt {text!r}: this task takes {length} token ids below {self.vocab_size}"
            )
        return _prompts(np.array([[int(word) for word in words]], np.int32))

    def demonstrations(self, index: int, count: int) -> Demonstrations:
        """Planted derivations, the common modes more often."""
        problems = _draw(self._key, _DEMONSTRATIONS, index, count, brackets.WARMUP, False)
        prompts, planted = np.asarray(problems.prompts), np.asarray(problems.planted)
        whole = np.ones(planted.shape, np.float32)
        return Demonstrations(prompts, np.ones_like(prompts, bool), planted, whole)

    def judge(self, prompts: Prompts, tokens: np.ndarray, mask: np.ndarray) -> Judged:
        """1 for a right derivation; its answer is the mode and operator chosen."""
        repeated = np.repeat(prompts.tokens, len(tokens) // len(prompts.ids), axis=0)
        rewards = np.asarray(_reward(repeated, tokens, mask))
        answers = [brackets.spell(row[[0, 2]]) for row in tokens]
        reasons = ["correct" if r > 0 else "wrong" for r in rewards]
        return Judged(rewards, rewards > 0, answers, reasons)

    def gold(self, id: str) -> str:
        """A problem has up to eighteen right answers, so none stands for all."""
        return ""

    def spell(self, tokens: np.ndarray) -> str:
        """Tokens as text."""
        return brackets.spell(tokens)

    def judged_text(self, tokens: np.ndarray) -> str:
        """The completion, which is all that is judged."""
        return self.spell(tokens)

    def close(self) -> None:
        """There is nothing to let go of."""


_reward = jax.jit(brackets.reward)


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _draw(key, purpose, index, count, mix, hold_out):
    key = jax.random.fold_in(jax.random.fold_in(key, purpose), index)
    return brackets.draw(key, count, mix, hold_out=hold_out)


def _prompts(tokens: np.ndarray) -> Prompts:
    """Prompts named by their tokens, so that one name is one problem under any seed."""
    ids = ["brackets-" + "-".join(map(str, row)) for row in tokens.tolist()]
    return Prompts(ids, tokens, np.ones_like(tokens, bool))
