"""A task of several: prompts drawn by weight, each judged as its own source judges."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from sage_jax.data.mixing import Mixing
from sage_jax.data.problem import DataError
from sage_jax.data.problem_set import Split
from sage_jax.data.tasks import Demonstrations, Judged, Prompts
from sage_jax.data.text_task import TextTask, widened


class Source(NamedTuple):
    """What a mixture is of.

    Attributes:
        name: in metrics.
        weight: its share of the prompts is this over the sum of all.
        task: with problems, prompts and rewards of its own.
    """

    name: str
    weight: float
    task: TextTask


class MixedTask:
    """Several tasks in words of one tokenizer as one.

    Which source a place of the order takes is a function of seed and place, see `Mixing`; a source
    gives its own problems in their own order, each once an epoch of its own.

    Args:
        sources: one or more, names unique. Closed with the task.
        seed: picks the order.

    Raises:
        DataError: if two sources have problems of one id.
    """

    def __init__(self, sources: Sequence[Source], *, seed: int):
        self.sources = tuple(sources)
        self._tasks = [one.task for one in sources]
        self._mixing = Mixing.of([one.weight for one in sources], seed=seed)
        self._places = _places(sources)
        self.vocab_size = self._tasks[0].vocab_size
        ends = [end for task in self._tasks for end in task.stop_ids]
        self.stop_ids = tuple(dict.fromkeys(ends))
        self.pad_id = self.stop_ids[0]
        self.tells_modes = any(task.tells_modes for task in self._tasks)

    @property
    def problems(self) -> Split:
        """The problems of all sources, source by source, as of a task of one."""
        splits = [task.problems for task in self._tasks]
        return Split(
            [one for split in splits for one in split.train],
            [one for split in splits for one in split.held_out],
            contaminated=[one for split in splits for one in split.contaminated],
        )

    def train_prompts(self, index: int, count: int) -> Prompts:
        """The `index`-th batch of training prompts, of all sources by their weights."""
        turns, rows = self._turns(index * count, count)
        parts = [task.prompts_at(first, own) for task, first, own in turns]
        dropped = sum(task.train_dropped for task in self._tasks)
        return _joined(parts).take(rows)._replace(dropped=dropped)

    def demonstrations(self, index: int, count: int) -> Demonstrations:
        """Worked problems of all sources by their weights; raises as `TextTask.demonstrations`."""
        turns, rows = self._turns(index * count, count)
        parts = [task.demonstrations_at(first, own) for task, first, own in turns]
        width = max(part.prompt_tokens.shape[1] for part in parts)
        asked = ((widened(p[0], width), widened(p[1], width), p[2], p[3]) for p in parts)
        columns = (np.concatenate(one)[rows] for one in zip(*asked, strict=True))
        return Demonstrations(*columns)

    def all_train(self) -> Prompts:
        """All training problems, source by source."""
        dropped = sum(task.train_dropped for task in self._tasks)
        return _joined([task.all_train() for task in self._tasks])._replace(dropped=dropped)

    def held_out(self, count: int) -> Prompts:
        """The first held-out problems of every source, `count` in all, in parts as equal as can be.

        Raises:
            DataError: if no source holds any out.
        """
        shares = equal_shares(count, [task.num_held_out for task in self._tasks])
        pairs = zip(self._tasks, shares, strict=True)
        parts = [task.held_out(share) for task, share in pairs if share]
        if not parts:
            raise DataError("no source of the mixture holds out any problem")
        dropped = sum(task.held_out_dropped for task in self._tasks)
        return _joined(parts)._replace(dropped=dropped)

    @property
    def num_held_out(self) -> int:
        """Held-out problems of all sources."""
        return sum(task.num_held_out for task in self._tasks)

    @property
    def ids(self) -> Collection[str]:
        """Names of all problems of all sources."""
        return self._places.keys()

    def ask(self, text: str, answer: str) -> Prompts:
        """Any question as the first source would put it; raises as `TextTask.ask`."""
        return self._tasks[0].ask(text, answer)

    def judge(self, prompts: Prompts, tokens: np.ndarray, mask: np.ndarray) -> Judged:
        """Judge each source's completions by its own rewards, see `verdicts.judge`.

        Parts of a source with several rewards are named SOURCE/REWARD.
        """
        own = np.array([self._places.get(id, 0) for id in prompts.ids])
        rows = np.repeat(own, len(tokens) // len(own))
        judged = []
        for place in np.unique(own):
            asked = prompts.take(np.flatnonzero(own == place))
            found = self._tasks[place].judge(asked, tokens[rows == place], mask[rows == place])
            judged.append(self._named(found, self.sources[place].name))
        return Judged.join(judged).take(_places_of(rows))

    def gold(self, id: str) -> str:
        """The right answer of a problem."""
        return self._of(id).gold(id)

    def spell(self, tokens: np.ndarray) -> str:
        """Tokens as text, as any source spells them."""
        return self._tasks[0].spell(tokens)

    def judged_text(self, tokens: np.ndarray, id: str) -> str:
        """A completion behind what its source's template and prefix began it with."""
        return self._of(id).judged_text(tokens, id)

    def close(self) -> None:
        """Close all sources."""
        for task in self._tasks:
            task.close()

    def _of(self, id: str) -> TextTask:
        """The source of a problem; the first of one that was asked."""
        return self._tasks[self._places.get(id, 0)]

    def _turns(self, first: int, count: int) -> tuple[list[tuple[TextTask, int, int]], np.ndarray]:
        """What places of the order take: of each source that has some, from which place of its own
        and how many; and where each then lies, once these are laid under one another.
        """
        which, before = self._mixing.sources(first, count), self._mixing.before(first)
        counts = np.bincount(which, minlength=len(self._tasks)).tolist()
        turns = zip(self._tasks, before, counts, strict=True)
        return [turn for turn in turns if turn[2]], _places_of(which)

    def _named(self, judged: Judged, name: str) -> Judged:
        """Verdicts that say which source they are of."""
        parts = judged.parts if len(judged.parts) > 1 else {}
        modes: Sequence[str] = judged.modes
        if self.tells_modes and not modes:
            modes = ["other" if right else "" for right in judged.correct]
        return judged._replace(
            parts={f"{name}/{part}": values for part, values in parts.items()},
            modes=modes,
            sources=[name] * len(judged.rewards),
        )


def equal_shares(count: int, sizes: Sequence[int]) -> list[int]:
    """Parts of `count`, none larger than its size, as equal as that allows.

    >>> equal_shares(10, [2, 30, 30]), equal_shares(9, [1, 2])
    ([2, 4, 4], [1, 2])
    """
    shares, left = [0] * len(sizes), count
    for rank, place in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[place] = min(sizes[place], -(-left // (len(sizes) - rank)))
        left -= shares[place]
    return shares


def _places(sources: Sequence[Source]) -> dict[str, int]:
    """The place of each problem's source, by id."""
    found: dict[str, int] = {}
    for place, source in enumerate(sources):
        for id in source.task.ids:
            if found.setdefault(id, place) != place:
                raise DataError(
                    f"the sources {sources[found[id]].name!r} and {source.name!r} both have a "
                    f"problem {id!r}: ids tell problems apart, so give those of one others"
                )
    return found


def _places_of(which: np.ndarray) -> np.ndarray:
    """Where each row lies once rows are laid under one another source by source."""
    return np.argsort(np.argsort(which, kind="stable"))


def _joined(parts: Sequence[Prompts]) -> Prompts:
    """Prompts under one another, as wide as the widest."""
    width = max(part.tokens.shape[1] for part in parts)
    return Prompts(
        [id for part in parts for id in part.ids],
        np.concatenate([widened(part.tokens, width) for part in parts]),
        np.concatenate([widened(part.mask, width) for part in parts]),
        problems=tuple(problem for part in parts for problem in part.problems),
    )
