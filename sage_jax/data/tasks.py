"""What a task is to the trainer and the evaluator: prompts, demonstrations, and a judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np


class Prompts(NamedTuple):
    """N prompts, left-padded, with their problems' ids.

    Attributes:
        ids: N names, for samples and reports.
        tokens: int32[N, P].
        mask: bool[N, P].
        dropped: prompts left out because they were longer than the limit.
        problems: what the prompts ask, where that was given.
    """

    ids: list[str]
    tokens: np.ndarray
    mask: np.ndarray
    dropped: int = 0
    problems: tuple[Any, ...] = ()

    def take(self, places: np.ndarray) -> "Prompts":
        """The prompts at `places`, in that order."""
        ids = [self.ids[place] for place in places]
        problems = tuple(self.problems[place] for place in places) if self.problems else ()
        return Prompts(ids, self.tokens[places], self.mask[places], self.dropped, problems)


class Demonstrations(NamedTuple):
    """Worked completions for supervised warm-up.

    Attributes:
        prompt_tokens: int32[B, P], left-padded.
        prompt_mask: bool[B, P].
        tokens: int32[B, T], right-padded.
        mask: float32[B, T], 1 on the tokens to learn, the end token included.
    """

    prompt_tokens: np.ndarray
    prompt_mask: np.ndarray
    tokens: np.ndarray
    mask: np.ndarray


class Judged(NamedTuple):
    """Rewards of B completions.

    Attributes:
        rewards: float32[B].
        correct: bool[B], whether the answer itself is right: what pass@k counts.
        answers: B final answers as text, "" where there is none: what majority@k counts.
        reasons: B words on how each verdict came about.
        parts: float32[B] each, the rewards that were summed, by name; NaN in rows that are not
            judged by it. Empty where there is one way.
        modes: B names of the way in which each right completion is right, "" for wrong ones; empty
            where the task tells no ways apart. What diversity counts.
        sources: B names of what each problem is from; empty where the task is no mixture.
    """

    rewards: np.ndarray
    correct: np.ndarray
    answers: list[str]
    reasons: list[str]
    parts: Mapping[str, np.ndarray] = MappingProxyType({})
    modes: Sequence[str] = ()
    sources: Sequence[str] = ()

    def means(self) -> dict[str, float]:
        """The mean of each part over the rows that have one, as metrics.

        >>> part = np.array([0.5, np.nan], np.float32)
        >>> Judged(part, part > 0, [], [], {"short": part, "none": part[1:]}).means()
        {'reward/short': 0.5}
        """
        known = {name: values[~np.isnan(values)] for name, values in self.parts.items()}
        return {f"reward/{name}": float(own.mean()) for name, own in known.items() if own.size}

    def take(self, rows: np.ndarray) -> "Judged":
        """The completions at `rows`, in that order."""
        return Judged(
            self.rewards[rows],
            self.correct[rows],
            [self.answers[row] for row in rows],
            [self.reasons[row] for row in rows],
            {name: values[rows] for name, values in self.parts.items()},
            [self.modes[int(row)] for row in rows] if self.modes else [],
            [self.sources[int(row)] for row in rows] if self.sources else [],
        )

    @classmethod
    def join(cls, judged: "Sequence[Judged]") -> "Judged":
        """All completions of all; of a part that some do not have theirs is NaN."""
        names = dict.fromkeys(name for one in judged for name in one.parts)
        return cls(
            np.concatenate([one.rewards for one in judged]),
            np.concatenate([one.correct for one in judged]),
            [answer for one in judged for answer in one.answers],
            [reason for one in judged for reason in one.reasons],
            {name: np.concatenate([one._part(name) for one in judged]) for name in names},
            [mode for one in judged for mode in one.modes],
            [source for one in judged for source in one.sources],
        )

    def _part(self, name: str) -> np.ndarray:
        unknown = np.full(len(self.rewards), np.nan, np.float32)
        return np.asarray(self.parts.get(name, unknown), np.float32)


class Worked(NamedTuple):
    """The completions that can be right, for each of N problems one of each of M modes.

    Attributes:
        tokens: int32[N, M, T].
        mask: float32[N, M, T], 1 on tokens, the end token included.
        right: bool[N, M], which of them are right; no other completion is.
        modes: M names, as in `Judged.modes`.
    """

    tokens: np.ndarray
    mask: np.ndarray
    right: np.ndarray
    modes: Sequence[str]


@dataclass(frozen=True)
class Setting:
    """What a run gives its task.

    Attributes:
        seed: picks problems and their order.
        tokenizer: a transformers tokenizer; None where the model has none.
        max_prompt_length: tokens of the longest prompt kept.
        max_completion_length: tokens of the longest demonstration kept.
        stop_ids: tokens that end a completion, beside the one with which the tokenizer's chat
            template ends a turn.
        embeddings: tokens that the model knows; None where it knows all of the tokenizer's.
        rates: columns that every training problem has to have, as numbers from 0 to 1; None where
            nothing is trained, and files of rates and curricula are not looked at.
    """

    seed: int
    tokenizer: Any
    max_prompt_length: int
    max_completion_length: int
    stop_ids: tuple[int, ...] = ()
    embeddings: int | None = None
    rates: frozenset[str] | None = frozenset()


class Vocabulary(Protocol):
    """What a compiled step knows of a task."""

    @property
    def vocab_size(self) -> int:
        """Size of the vocabulary that the prompts use."""
        ...

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens that end a completion."""
        ...

    @property
    def pad_id(self) -> int:
        """Token that fills what the masks leave out."""
        ...


@runtime_checkable
class Task(Vocabulary, Protocol):
    """A source of prompts and a judge of completions; all methods are functions of arguments."""

    def train_prompts(self, index: int, count: int) -> Prompts:
        """The `index`-th batch of training prompts."""
        ...

    def held_out(self, count: int) -> Prompts:
        """The first `count` held-out problems."""
        ...

    def ask(self, text: str, answer: str) -> Prompts:
        """A prompt of one's own, to be judged by `answer` where the task needs one.

        Raises:
            DataError: if this task cannot ask that.
        """
        ...

    def demonstrations(self, index: int, count: int) -> Demonstrations:
        """The `index`-th batch of demonstrations."""
        ...

    def judge(self, prompts: Prompts, tokens: np.ndarray, mask: np.ndarray) -> Judged:
        """Judge B = N*G completions [B, T] of N prompts, those of one prompt adjacent."""
        ...

    def gold(self, id: str) -> str:
        """The right answer of a problem as text, for samples and reports."""
        ...

    def spell(self, tokens: np.ndarray) -> str:
        """Tokens as text."""
        ...

    def judged_text(self, tokens: np.ndarray, id: str) -> str:
        """A problem's completion as it is judged: with what stood before it in the model's turn."""
        ...

    def close(self) -> None:
        """Let go of worker processes."""
        ...


@runtime_checkable
class Enumerable(Protocol):
    """What a task beside has whose right completions can be listed: it needs no sampling."""

    def right_answers(self, prompts: Prompts) -> Worked:
        """All completions of N prompts that can be right; see `Worked`."""
        ...


def lacking(given: Any) -> list[str]:
    """What an object lacks that was meant as a `Task`; nothing of one that has nothing of it."""
    names = [n for kind in (Vocabulary, Task) for n in vars(kind) if not n.startswith("_")]
    there = [name for name in names if hasattr(given, name)]
    return [name for name in names if name not in there] if there else []
