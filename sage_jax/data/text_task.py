"""Problems in words as a task: prompts by a tokenizer's template, answers judged on the host."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from sage_jax.data import verdicts
from sage_jax.data.order import indices_at, weighted_at
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.problem_set import Split
from sage_jax.data.prompts import Prompting, render
from sage_jax.data.rewards import Batch, Reward
from sage_jax.data.spelling import Part, Spelling
from sage_jax.data.tasks import Demonstrations, Judged, Prompts, Setting
from sage_jax.data.turns import read_turns
from sage_jax.rewards.thinking import after_thinking
from sage_jax.rollout import pack_prompts, padded_length


class Shown(NamedTuple):
    """The prompts of a part of a task.

    Attributes:
        prompts: each problem with its token ids.
        dropped: how many were longer than the limit, and left out.
    """

    prompts: Sequence[tuple[Problem, list[int]]]
    dropped: int


class TextTask:
    """Training and held-out problems of one tokenizer.

    Prompts longer than the limit are left out once, at the start, and counted.

    Attributes:
        problems: as they were given.

    Args:
        problems: to train on, to evaluate on, and their demonstrations.
        rewards: summed by weight; the first says what is correct. Closed with the task.
        prompting: what is said around each problem.
        setting: tokenizer, seed, lengths and tokens of the run.

    Raises:
        DataError: if no prompt of either part is short enough, a prompt holds a token that the
            model does not know, or the chat template does not write the messages.
    """

    def __init__(
        self, problems: Split, rewards: Sequence[Reward], prompting: Prompting, setting: Setting
    ):
        tokenizer, self._tokenizer = setting.tokenizer, setting.tokenizer
        self.problems, self._seed = problems, setting.seed
        self.tells_modes = problems.mode is not None
        self._rewards = tuple(rewards)
        self._limits = (setting.max_prompt_length, setting.max_completion_length)
        self._spelling = Spelling(tokenizer)
        self._say: dict[str, Any] = {
            "system_prompt": prompting.system_prompt or None,
            "date": prompting.date,
            "thinking": prompting.thinking,
        }
        turns = read_turns(tokenizer, self._spelling, **self._say)
        self._say |= {"answer_instruction": prompting.instruction, "spelling": self._spelling}
        self._prefix = prompting.prefix
        self._prefix_ids = self._spelling.ids(Part(self._prefix)) if self._prefix else []
        self._given = turns.opened + self._prefix
        known = setting.embeddings
        self._embeddings = len(tokenizer) if known is None else known
        self.vocab_size = len(tokenizer)
        # What a demonstration ends with comes first.
        self.stop_ids = self._known((turns.end_id, *setting.stop_ids))
        # Padding is masked wherever it stands, so any id will do; a tokenizer's own pad token may
        # lie outside the model's vocabulary.
        self.pad_id = self.stop_ids[0]
        self._train, self.train_dropped = self._kept(problems.train, "training")
        self._held_out, self.held_out_dropped = self._kept(problems.held_out, "held-out")
        self._weights = self._weighed(problems)
        self._golds = {one.id: one.answer for part in problems[:2] for one in part}

    def train_prompts(self, index: int, count: int) -> Prompts:
        """The `index`-th batch of training prompts: every problem once an epoch."""
        return self.prompts_at(index * count, count)

    def prompts_at(self, first: int, count: int) -> Prompts:
        """The training prompts at places `first` to `first + count - 1` of all epochs' order."""
        if self._weights is None:
            chosen = self._in_turn(first, count)
        else:
            places = weighted_at(self._weights, first, count, seed=self._seed)
            chosen = [self._train[place] for place in places]
        return self._packed(chosen, self.train_dropped)

    def all_train(self) -> Prompts:
        """All training problems, in their own order."""
        return self._packed(self._train, self.train_dropped)

    def held_out(self, count: int) -> Prompts:
        """The first `count` held-out problems, or all if there are fewer."""
        return self._packed(self._held_out[:count], self.held_out_dropped)

    @property
    def num_held_out(self) -> int:
        """Held-out problems."""
        return len(self._held_out)

    @property
    def shown(self) -> "tuple[Shown, Shown]":
        """The prompts to train on, and those that are held out, for people to look at."""
        return Shown(self._train, self.train_dropped), Shown(self._held_out, self.held_out_dropped)

    def written(self, ids: Sequence[int]) -> str:
        """A prompt as text, with all special tokens as they are spelt."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

    @property
    def ends(self) -> list[str]:
        """How the tokens that end a completion are spelt."""
        return [self._spelling.name(one) for one in self.stop_ids]

    @property
    def ids(self) -> Collection[str]:
        """Names of all problems, to train on and held out, also of those that are too long."""
        return self._golds.keys()

    def ask(self, text: str, answer: str) -> Prompts:
        """Any question as this task would put it, to be judged by a right answer.

        Raises:
            DataError: if the prompt is too long, or holds a token that the model does not know.
        """
        problem = Problem(id="asked", problem=text, answer=answer)
        ids = self._checked(problem, self._render(problem))
        if len(ids) > self._limits[0]:
            raise DataError(
                f"the prompt has {len(ids)} tokens, more than rollout.max_prompt_length "
                f"{self._limits[0]}"
            )
        return self._packed([(problem, ids)], 0)

    def demonstrations(self, index: int, count: int) -> Demonstrations:
        """Worked problems; a problem's several solutions are taken in turn.

        A curriculum weighs none of them: it goes by a model that learned from all.

        Raises:
            DataError: if a problem has none, or none that fits.
        """
        return self.demonstrations_at(index * count, count)

    def demonstrations_at(self, first: int, count: int) -> Demonstrations:
        """Worked problems at places of all epochs' order; raises as `demonstrations`."""
        chosen = self._in_turn(first, count)
        prompts = self._packed(chosen, self.train_dropped)
        completions = [self._completion(p, first + i) for i, (p, _) in enumerate(chosen)]
        tokens = np.full((count, self._limits[1]), self.pad_id, np.int32)
        mask = np.zeros(tokens.shape, np.float32)
        for row, ids in enumerate(completions):
            tokens[row, : len(ids)], mask[row, : len(ids)] = ids, 1
        return Demonstrations(prompts.tokens, prompts.mask, tokens, mask)

    def judge(self, prompts: Prompts, tokens: np.ndarray, mask: np.ndarray) -> Judged:
        """Judge completions by the rewards, see `verdicts.judge`."""
        group_size = len(tokens) // len(prompts.ids)
        texts = _each(lambda row: self._given + self.spell(row), tokens, mask)
        asked = [problem for problem in prompts.problems for _ in range(group_size)]
        return verdicts.judge(Batch(texts, asked, tokens, mask), self._rewards, self.problems.mode)

    def gold(self, id: str) -> str:
        """The right answer of a problem."""
        return self._golds[id]

    def spell(self, tokens: np.ndarray) -> str:
        """Tokens as text, without special tokens but for the tags around thoughts and answers."""
        return self._spelling.text(np.asarray(tokens).tolist())

    def judged_text(self, tokens: np.ndarray, id: str) -> str:
        """A completion behind what the template and the prefix began it with."""
        return self._given + self.spell(tokens)

    def close(self) -> None:
        """End the verifier's processes."""
        for one in self._rewards:
            one.close()

    def _in_turn(self, first: int, count: int) -> list[Any]:
        places = indices_at(len(self._train), first, count, seed=self._seed)
        return [self._train[place] for place in places]

    def _render(self, problem: Problem) -> list[int]:
        said: dict[str, Any] = self._say | {"system_prompt": self._system(problem)}
        return render(self._tokenizer, problem, **said) + self._prefix_ids

    def _system(self, problem: Problem) -> str | None:
        """The config's system message, or else the problem's own, its column `system`."""
        own = problem.extra.get("system")
        if self._say["system_prompt"] or not isinstance(own, str) or not own.strip():
            return self._say["system_prompt"]
        if self._spelling.spells(own):
            raise DataError(
                f"problem {problem.id!r}: its column `system` spells a control token of the "
                "tokenizer: leave it out, or give task.system_prompt"
            )
        return own

    def _known(self, stop_ids: tuple[int | None, ...]) -> tuple[int, ...]:
        """Those of some tokens that the model can write, each once."""
        known = [one for one in stop_ids if one is not None and one < self._embeddings]
        if not known:
            raise DataError(
                "nothing ends a completion: neither the model's config, nor its tokenizer, nor its "
                f"chat template names a token among the {self._embeddings} that the model knows"
            )
        return tuple(dict.fromkeys(known))

    def _checked(self, problem: Problem, ids: list[int]) -> list[int]:
        """Refuse ids for which the model has no embedding."""
        beyond = [index for index in ids if index >= self._embeddings]
        if beyond:
            raise DataError(
                f"problem {problem.id!r}: token {self._spelling.name(beyond[0])!r} has id "
                f"{beyond[0]}, but the model has embeddings for {self._embeddings} tokens and the "
                f"tokenizer knows {self.vocab_size}: leave the problem out, or take the tokenizer "
                "that the model was trained with"
            )
        return ids

    def _kept(self, problems: Sequence[Problem], part: str) -> tuple[list[Any], int]:
        rendered = [(problem, self._render(problem)) for problem in problems]
        kept = [
            (problem, self._checked(problem, ids))
            for problem, ids in rendered
            if len(ids) <= self._limits[0]
        ]
        if rendered and not kept:
            shortest = min(len(ids) for _, ids in rendered)
            raise DataError(
                f"all {len(rendered)} {part} prompts are longer than rollout.max_prompt_length "
                f"{self._limits[0]} (the shortest has {shortest} tokens)"
            )
        return kept, len(rendered) - len(kept)

    def _weighed(self, problems: Split) -> np.ndarray | None:
        """The weights of the training problems that are kept."""
        if problems.weights is None:
            return None
        of = dict(zip((one.id for one in problems.train), problems.weights, strict=True))
        found = np.array([of[problem.id] for problem, _ in self._train], np.float64)
        if not found.any():
            raise DataError(
                "of the training problems that are short enough, the curriculum leaves none"
            )
        return found

    def _packed(self, chosen: Sequence[tuple[Problem, list[int]]], dropped: int) -> Prompts:
        longest = max(len(ids) for _, ids in chosen)
        length = min(padded_length(longest), self._limits[0])
        packed = pack_prompts(
            [ids for _, ids in chosen], max_prompt_length=length, pad_id=self.pad_id
        )
        tokens, mask = (widened(x, length) for x in (packed.tokens, packed.mask))
        asked = tuple(problem for problem, _ in chosen)
        return Prompts([problem.id for problem in asked], tokens, mask, dropped, asked)

    def _completion(self, problem: Problem, draw: int) -> list[int]:
        text = self.problems.worked(problem, draw)
        if text is None:
            raise DataError(f"problem {problem.id!r} has no solution to demonstrate")
        text = self._continued(text)
        if after_thinking(self._given + text) is None:
            raise DataError(
                f"the solution of problem {problem.id!r} ends inside a thought, since prompts end "
                f"with {self._given[-40:]!r}: close it in the solution or in task.prefix"
            )
        ids = self._checked(problem, self._spelling.solution(text))
        ids.append(self.stop_ids[0])
        if len(ids) > self._limits[1]:
            raise DataError(
                f"the solution of problem {problem.id!r} has {len(ids)} tokens, more than "
                f"rollout.max_completion_length {self._limits[1]}"
            )
        return ids

    def _continued(self, text: str) -> str:
        """What of a whole completion is left to write behind the prompt."""
        for begun in (self._given, self._given.strip(), self._prefix):
            if begun and text.startswith(begun):
                return text.removeprefix(begun)
        return text


def _each(read: Callable[[np.ndarray], str], tokens: np.ndarray, mask: np.ndarray) -> list[str]:
    """What is read of the real tokens of every row."""
    return [read(row[keep > 0]) for row, keep in zip(tokens, mask, strict=True)]


def widened(x: np.ndarray, length: int) -> np.ndarray:
    """Columns of zeros on the left up to `length`; masked, so their ids mean nothing."""
    return np.pad(x, ((0, 0), (length - x.shape[1], 0)))
