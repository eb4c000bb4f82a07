"""Which stored completions of runs a page shows: of training with their tokens, of evaluations."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sage_jax.evaluate.comparison import Comparison
from sage_jax.evaluate.completions import Completion
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.runs import Run
from sage_jax.evaluate.samples import Sample, read_samples

_COMPLETIONS, _CHARACTERS = 1000, 8_000_000
"""Of all runs together, about: what a page has room for."""
_MOVED = 24  # Problems gained, and problems lost, that completions of evaluations are shown of.
_EACH = 2  # Right ones, and wrong ones, of a problem in an evaluation.


@dataclass(frozen=True)
class Shown:
    """A completion on the page.

    Attributes:
        run: arm or base that wrote it.
        where: it was written, in words.
        sample: the completion.
    """

    run: str
    where: str
    sample: Sample


Moves = Mapping[str, Mapping[str, str]]
"""{run: {id: "gained" or "lost"}}, against the run's base."""


def shown(runs: Sequence[Run], comparison: Comparison, moves: Moves) -> tuple[list[Shown], int]:
    """Completions of runs and their bases, and how many files of training had no room.

    Of training those of the last steps, and of the first, whose policy is the base; of evaluations
    those of problems that were gained or lost.

    Raises:
        ResultError: a file of completions is corrupt.
    """
    found, left_out = [], 0
    for run in runs:
        own, rest = _trained(run, 1 / len(runs))
        found += own
        left_out += rest
    ids = set().union(*(_moved(moves.get(run.name, {})) for run in runs))
    for base in comparison.bases:
        own = [run for run in runs if comparison.base_of.get(run.name) == base]
        found += _of_base(own, base, ids)
    for run in runs:
        found += _evaluated(run, run.name, run.final, ids)
    return found, left_out


def _of_base(runs: Sequence[Run], name: str, ids: set[str]) -> list[Shown]:
    """What a base wrote, from the first run that holds it: arms share an evaluation."""
    return next((own for run in runs if (own := [*_evaluated(run, name, run.base, ids)])), [])


def _trained(run: Run, share: float) -> tuple[list[Shown], int]:
    paths = sorted((run.path / "samples").glob("step-*.jsonl"))
    # The first and the last have a place, then as many before the last as there is room for.
    order = [*paths[-1:], *paths[:1], *reversed(paths[1:-1])] if len(paths) > 1 else paths
    kept: list[Sample] = []
    read = size = 0
    for path in order:
        own = read_samples(path)
        size += sum(len(sample.completion) for sample in own)
        fits = len(kept) + len(own) <= share * _COMPLETIONS and size <= share * _CHARACTERS
        if read and not fits:
            break
        kept += own
        read += 1
    kept.sort(key=lambda sample: sample.step)
    found = [Shown(run.name, f"step {sample.step}", sample) for sample in kept]
    return found, len(paths) - read


def _moved(moves: Mapping[str, str]) -> set[str]:
    """The first ids of either kind."""
    seen: Counter[str] = Counter()
    kept = set()
    for id, move in moves.items():
        seen[move] += 1
        if seen[move] <= _MOVED:
            kept.add(id)
    return kept


def _evaluated(run: Run, name: str, result: EvalResult | None, ids: set[str]) -> Iterator[Shown]:
    """The first right and wrong completions of problems; none where they were not kept."""
    if result is None or not ids:
        return
    golds = {problem.id: problem.gold for problem in result.problems}
    seen: Counter[tuple[str, bool | None]] = Counter()
    for one in run.completions(result):
        seen[one.id, one.correct] += one.id in ids
        if one.id in ids and seen[one.id, one.correct] <= _EACH:
            yield Shown(name, f"evaluation {result.tag}", _as_sample(one, result, golds))


def _as_sample(one: Completion, result: EvalResult, golds: Mapping[str, str]) -> Sample:
    reward = float(bool(one.correct)) if one.reward is None else one.reward
    finish = {None: "", True: "length", False: "stop"}[one.truncated]
    gold = golds.get(one.id, "")
    return Sample(result.step, one.id, "", one.completion, reward, gold, finish, one.reason)
