"""The bracket puzzle as a task: prompts drawn and completions judged inside jit."""

import functools

import jax
import numpy as np

from sage_jax.data import brackets
from sage_jax.data.problem import DataError
from sage_jax.data.tasks import Demonstrations, Judged, Prompts

_TRAIN, _HELD_OUT, _DEMONSTRATIONS = range(3)
_HELD_OUT_DRAWS = 4096


class BracketsTask:
    """See `sage_jax.data.brackets`; `draw` and `reward` are the pure functions underneath."""

    vocab_size = brackets.VOCAB_SIZE
    stop_ids = (brackets.END,)
    pad_id = brackets.END

    def __init__(self, *, seed: int):
        self._key = jax.random.key(seed)

    def draw(self, key: jax.Array, count: int) -> jax.Array:
        """Training prompts int32[N, 6]; pure."""
        return brackets.draw(key, count, brackets.PLAY).prompts

    def reward(self, prompts: jax.Array, tokens: jax.Array, mask: jax.Array) -> jax.Array:
        """Rewards float32[B] of completions [B, T] of prompts [B, 6]; pure."""
        return brackets.reward(prompts, tokens, mask)

    def train_prompts(self, index: int, count: int) -> Prompts:
        """The `index`-th batch of training prompts."""
        problems = _draw(self._purpose(_TRAIN, index), count, brackets.PLAY, False)
        return _prompts(np.asarray(problems.prompts))

    def held_out(self, count: int) -> Prompts:
        """The first `count` of the seed's held-out problems, whose operands training never draws.

        Raises:
            DataError: if there are not that many.
        """
        key = self._purpose(_HELD_OUT, 0)
        drawn = np.asarray(_draw(key, _HELD_OUT_DRAWS, brackets.PLAY, True).prompts)
        _, first = np.unique(drawn, axis=0, return_index=True)
        if count > len(first):
            raise DataError(f"eval.num_problems {count} is more than the {len(first)} held out")
        return _prompts(drawn[np.sort(first)[:count]])

    def demonstrations(self, index: int, count: int) -> Demonstrations:
        """Planted derivations, the common modes more often."""
        key = self._purpose(_DEMONSTRATIONS, index)
        problems = _draw(key, count, brackets.WARMUP, False)
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

    def _purpose(self, purpose: int, index: int) -> jax.Array:
        return jax.random.fold_in(jax.random.fold_in(self._key, purpose), index)


_reward = jax.jit(brackets.reward)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _draw(key, count, mix, hold_out):
    return brackets.draw(key, count, mix, hold_out=hold_out)


def _prompts(tokens: np.ndarray) -> Prompts:
    """Prompts named by their tokens, so that one name is one problem under any seed."""
    ids = ["brackets-" + "-".join(map(str, row)) for row in tokens.tolist()]
    return Prompts(ids, tokens, np.ones_like(tokens, bool))
