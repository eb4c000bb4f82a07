"""Training problems that stand in an evaluation set, found and left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from sage_jax.data.problem import Problem
from sage_jax.data.statements import asked, letters, particulars, plain, words


class Removed(NamedTuple):
    """Why a training problem was left out; one for each evaluation problem that it meets.

    Attributes:
        id: of the training problem.
        evaluation_id: of the evaluation problem.
        reason: "equal", after normalisation, or "overlap".
        containment: share of the evaluation problem's n-grams found in the training problem.
    """

    id: str
    evaluation_id: str
    reason: Literal["equal", "overlap"]
    containment: float


class Decontaminated(NamedTuple):
    """Training problems without those of the evaluation.

    Attributes:
        kept: in the order given.
        removed: in the order of training problems, then of evaluation ids.
    """

    kept: list[Problem]
    removed: list[Removed]


def decontaminate(
    train: Sequence[Problem],
    evaluation: Sequence[Problem],
    *,
    ngram: int = 8,
    containment: float = 0.5,
    particular: float = 0.9,
) -> Decontaminated:
    r"""Leave out training problems that equal an evaluation problem or overlap with one.

    Equal: after normalisation (`statements.letters`). Overlap: both of

        |G(e) ∩ G(t)| / |G(e)| >= containment    G: the set of word n-grams of a statement
        |P(e) ∩ P(t)| / |P(e)| >= particular     P: its numbers, signs, letters, names

    of an evaluation problem e and one training problem t. The first is taken of e's whole statement
    and of what it asks (`statements.asked`: no code of figures, no sentences on how the answer is
    to be written), and the larger counts. The second (`statements.particulars`) tells the same
    problem from one of the same kind with other numbers. Where e has fewer than 2 ngram words, all
    its n-grams must be found: of few, each says too much. With fewer than ngram words what e asks
    must equal, after normalisation, what t asks.

    Neither the order of the problems nor other problems change what is found of a pair.

    Args:
        train: problems to train on.
        evaluation: problems of all evaluation sets.
        ngram: words in a row, at least 1; of Chinese and Japanese the characters count as words.
        containment: above 0, at most 1.
        particular: 0 to 1; 0 leaves out problems of the same kind, too.

    Raises:
        ValueError: if an option is out of range.

    Source: n-grams of words as the GPT-3 report's appendix C (arXiv:2005.14165); the share of
    8-grams as section 8 of PaLM's (arXiv:2204.02311), of one document instead of the whole corpus,
    which is Broder's containment (1997, "On the resemblance and containment of documents").

    >>> held_out = [Problem("e", "How many ways are there to walk from A to B in 7 steps?", "35")]
    >>> copy = Problem("t", r"How many ways are there to walk from $A$ to $B$ in $7$ steps", "35")
    >>> other = Problem("u", "How many ways are there to walk from A to B in 9 steps?", "84")
    >>> decontaminate([copy, other], held_out)[1]
    [Removed(id='t', evaluation_id='e', reason='equal', containment=1.0)]
    """
    _check(ngram, containment, particular)
    index = _Index(evaluation, ngram)
    kept, removed = [], []
    for problem in train:
        found = index.meets(problem, containment, particular)
        if not found:
            kept.append(problem)
        removed += sorted(found)
    return Decontaminated(kept, removed)


class _Form(NamedTuple):
    """A way of reading an evaluation problem: its place, and how many n-grams are how long."""

    place: int
    grams: int
    length: int


class _Index:
    """The n-grams of the evaluation, which are fewer than those of the training problems."""

    def __init__(self, evaluation: Sequence[Problem], ngram: int):
        self._evaluation = evaluation
        self._ngram = ngram
        self._equal: dict[str, list[int]] = defaultdict(list)
        self._short: dict[str, list[int]] = defaultdict(list)
        self._forms: list[_Form] = []
        self._grams: dict[str, list[int]] = defaultdict(list)
        for place, problem in enumerate(evaluation):
            self._add(place, plain(problem.problem))

    def _add(self, place: int, text: str) -> None:
        core = asked(text)
        self._equal[letters(text)].append(place)
        if len(words(core)) < self._ngram:
            self._short[letters(core)].append(place)
        for form in {text, core}:
            found = words(form)
            grams = _grams(found, self._ngram)
            for gram in grams:
                self._grams[gram].append(len(self._forms))
            self._forms.append(_Form(place, len(grams), len(found)))

    def meets(self, problem: Problem, containment: float, particular: float) -> list[Removed]:
        """The evaluation problems that a training problem equals or overlaps with."""
        text = plain(problem.problem)
        shares = self._shares(text, containment)
        found: dict[int, tuple[Literal["equal", "overlap"], float]] = {
            place: ("overlap", share)
            for place, share in shares.items()
            if self._agree(place, text, particular)
        }
        found |= dict.fromkeys(self._short.get(letters(asked(text)), ()), ("overlap", 1.0))
        found |= dict.fromkeys(self._equal.get(letters(text), ()), ("equal", 1.0))
        return [
            Removed(problem.id, self._evaluation[place].id, *why) for place, why in found.items()
        ]

    def _shares(self, text: str, containment: float) -> dict[int, float]:
        """Containment of the evaluation problems, by their places, of which it is enough."""
        counts: dict[int, int] = defaultdict(int)
        for gram in _grams(words(text), self._ngram):
            for number in self._grams.get(gram, ()):
                counts[number] += 1
        shares: dict[int, float] = {}
        for number, count in counts.items():
            form = self._forms[number]
            share = count / form.grams
            if share >= (1.0 if form.length < 2 * self._ngram else containment):
                shares[form.place] = max(share, shares.get(form.place, 0.0))
        return shares

    def _agree(self, place: int, text: str, particular: float) -> bool:
        wanted = particulars(asked(plain(self._evaluation[place].problem)))
        return len(wanted & particulars(text)) >= particular * len(wanted)


def _grams(found: Sequence[str], ngram: int) -> Collection[str]:
    return {" ".join(found[start : start + ngram]) for start in range(len(found) - ngram + 1)}


def _check(ngram: int, containment: float, particular: float) -> None:
    if ngram < 1:
        raise ValueError(f"ngram must be at least 1, got {ngram}")
    if not 0 < containment <= 1:
        raise ValueError(f"containment must be above 0 and at most 1, got {containment}")
    if not 0 <= particular <= 1:
        raise ValueError(f"particular must be from 0 to 1, got {particular}")
