"""From judged completions to the results of suites."""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sage_jax.evaluate.completions import Completion
from sage_jax.evaluate.modes import counted
from sage_jax.evaluate.problem_result import ProblemResult, means_of, tally
from sage_jax.evaluate.results import EvalResult
from sage_jax.files import ResultError
from sage_jax.rewards import LOST
from sage_jax.telling import brief

Golds = Mapping[str, Mapping[str, str]]
"""{suite: {id: right answer}}; "" where there is none to vote on."""


def count(completions: Iterable[Completion], golds: Golds) -> dict[str, tuple[ProblemResult, ...]]:
    """What came of every problem of every suite, whatever order the completions come in.

    Completions of a problem count in the order of their `sample`, which decides under which
    spelling equal wrong answers stand. One without a suite belongs to the suite that has its id.

    Args:
        completions: all judged; the text is let go of at once.
        golds: the problems that are to be there, in the order of the results.

    Returns:
        {suite: results}, with lengths and truncation where all completions of a problem have them.

    Raises:
        ResultError: one line that names suite, problem and sample: a completion of no known
            problem, one that was not judged, a sample that is there twice, a problem without
            completions, or problems with more of them than others.
    """
    found: dict[tuple[str, str], list[Completion]] = defaultdict(list)
    for one in completions:
        found[suite_of(one, golds), one.id].append(dataclasses.replace(one, completion=""))
    results = {}
    for suite, problems in golds.items():
        groups = {id: _in_order(found.get((suite, id), []), suite, id) for id in problems}
        _check_samples(groups, suite)
        results[suite] = tuple(
            _result(id, group, gold)
            for (id, gold), group in zip(problems.items(), groups.values(), strict=True)
        )
    return results


def as_evaluation(problems: Sequence[ProblemResult], **head: Any) -> EvalResult:
    """Results of one suite as an evaluation, whose means over completions follow from them.

    Args:
        problems: with as many samples each.
        **head: `tag`, `step`, `task`, `seed` and `temperature` of the `EvalResult`.
    """
    samples = problems[0].samples if problems else 0
    return EvalResult(problems=tuple(problems), samples=samples, **means_of(problems), **head)


def suite_of(one: Completion, golds: Mapping[str, Collection[str]]) -> str:
    """The suite that a completion belongs to: the one that it names, or the only one with its id.

    Args:
        one: the completion.
        golds: the ids of each suite.

    Raises:
        ResultError: there is no such suite or problem, or several, and it names none of them.
    """
    having = [suite for suite, problems in golds.items() if one.id in problems]
    if one.suite in having:
        return one.suite
    if not one.suite and len(having) == 1:
        return having[0]
    if one.suite and one.suite not in golds:
        why = f"there is no suite {brief(one.suite)}; there are {', '.join(map(brief, golds))}"
    elif one.suite:
        why = f"suite {brief(one.suite)} has no such problem"
    elif having:
        why = f"it is in {', '.join(map(brief, having))}: each completion must name its suite"
    else:
        why = f"no suite has such a problem; there are {', '.join(map(brief, golds))}"
    raise ResultError(f"completion of problem {brief(one.id)}: {why}")


def _in_order(group: list[Completion], suite: str, id: str) -> list[Completion]:
    where = f"suite {brief(suite)}, problem {brief(id)}"
    if not group:
        raise ResultError(f"{where}: no completion of it is there")
    places = [one.sample for one in group]
    if any(one.correct is None for one in group):
        raise ResultError(f"{where}: a completion was not judged")
    if all(place is None for place in places):
        return group
    known = [place for place in places if place is not None]
    if len(known) < len(places):
        raise ResultError(f"{where}: some completions have a sample and others do not")
    if len({*known}) < len(known):
        twice = next(place for place in known if known.count(place) > 1)
        raise ResultError(f"{where}: sample {twice} is there twice")
    return [one for _, one in sorted(zip(known, group, strict=True), key=lambda pair: pair[0])]


def _check_samples(groups: Mapping[str, list[Completion]], suite: str) -> None:
    counts = {id: len(group) for id, group in groups.items()}
    most = max(counts, key=lambda id: counts[id], default="")
    for id, number in counts.items():
        if number != counts[most]:
            raise ResultError(
                f"suite {brief(suite)}: problem {brief(id)} has {number} completions and "
                f"{brief(most)} has {counts[most]}; all must have as many"
            )


def _result(id: str, group: Sequence[Completion], gold: str) -> ProblemResult:
    correct = [bool(one.correct) for one in group]
    found = ProblemResult(id, sum(correct), len(group))
    if gold:  # Else there is nothing to take a majority of.
        found = tally([one.answer or None for one in group], correct, id=id, gold=gold)
    return dataclasses.replace(
        found,
        modes=counted([one.mode if one.correct else "" for one in group]),
        length=_mean([one.length for one in group]),
        truncated=_mean([one.truncated for one in group]),
        lost=_mean([one.reason in LOST for one in group]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
