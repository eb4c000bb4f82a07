"""From what a task's function gives to problems: read, checked, numbered, and split in two."""

import inspect
import itertools
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import ProblemSet, Split, is_held_out
from sage_jax.data.tasks import Task, lacking
from sage_jax.faults import ConfigError
from sage_jax.parts import Part
from sage_jax.telling import brief

MOST = 100_000
"""Problems read of what does not say how many it holds, as a generator; more are refused."""

_NEEDED = (
    "problems are needed (each a data.Problem, a mapping with `problem` and `answer`, or text), or "
    "a data.ProblemSet, or a data.Task"
)
_TEXTS = ("id", "problem", "answer", "source", "solution")


def gather(
    part: Part,
    given: Mapping[str, Any],
    *,
    held_out_share: float,
    to_train: bool = True,
    held_out: Sequence[Problem] | None = None,
) -> Split | Task:
    """Call a task's function and read what it gives.

    With a parameter `held_out` it is called twice, for either part of its problems. A problem
    without an id is numbered; an answer that is missing is empty.

    Args:
        part: the function, with the arguments of its config.
        given: what the trainer gives to whoever asks for it by name, but for `held_out`.
        held_out_share: see `is_held_out`; for problems of which nobody says which are held out.
        to_train: refuse a `ProblemSet` that has problems to evaluate on alone; else its `train` is
            empty.
        held_out: problems of another task, in the place of those that this one holds out; then
            none of its own are, unless it says so itself.

    Raises:
        ConfigError: one line with what it raised, what it gives instead of problems, a field that
            is missing or no text, an id that two problems share, or a part that is empty.
    """
    if inspect.iscoroutinefunction(part.function):
        raise _fault(part, "is async: define it by `def`")
    made = part.call(**given, held_out=False)
    if isinstance(made, Task):
        return made
    whole, name = made if isinstance(made, ProblemSet) else ProblemSet(made), part.spec.label
    train = [] if _only_evaluates(part, whole, to_train) else _read(part, whole.train, name)
    if held_out is None:
        held_out = _held_out(part, given, made, whole)
    if held_out is None:
        train, held_out = _parted(part, train, held_out_share)
    _refuse_shared_ids(part, train, held_out)
    found = Split(
        train, held_out, reward=whole.reward, dropped=whole.dropped, distinct=whole.distinct
    )
    if whole.mode is not None:
        found = found._replace(mode=_told(part, whole.mode, "mode"))
    return found if whole.worked is None else found._replace(worked=_told(part, whole.worked))


def _held_out(
    part: Part, given: Mapping[str, Any], made: Any, whole: ProblemSet
) -> list[Problem] | None:
    """The problems that a function itself says are held out."""
    name = f"{part.spec.label}-held-out"
    if part.asks("held_out"):
        if made is whole:
            raise _fault(part, "asks for `held_out` and gives a ProblemSet, which says so itself")
        return _read(part, part.call(**given, held_out=True), name)
    return None if whole.held_out is None else _read(part, whole.held_out, name)


def _only_evaluates(part: Part, whole: ProblemSet, to_train: bool) -> bool:
    """Whether there are problems to evaluate on and none to train on."""
    empty = isinstance(whole.train, Sized) and not len(whole.train) and whole.held_out is not None
    if empty and to_train:
        raise _fault(
            part,
            "gives no problem to train on, and some to evaluate on alone: name one that has both",
        )
    return empty


def _fault(part: Part, said: str) -> ConfigError:
    return ConfigError(f"{part.field}: {part.spec.use} {said}")


def _read(part: Part, given: Any, name: str) -> list[Problem]:
    """All problems of an iterable, in its order."""
    _refuse_others(part, given)
    with part.explained():
        most = len(given) if isinstance(given, Sized) else MOST + 1
        rows = [*itertools.islice(iter(given), most)]  # type: ignore[call-overload]
    if len(rows) > MOST and not isinstance(given, Sized):
        raise _fault(
            part,
            f"gives more than {MOST:,} problems and does not say how many: end it, or give a list",
        )
    problems = [_problem(part, row, f"{name}-{place}", place) for place, row in enumerate(rows, 1)]
    if not problems:
        raise _fault(part, "gives no problem" + (" to hold out" if "-held-out" in name else ""))
    _refuse_repeated_ids(part, problems)
    return problems


def _refuse_others(part: Part, given: Any) -> None:
    """Refuse what holds no problems in an order."""
    if isinstance(given, set | frozenset):
        raise _fault(part, "gives a set, whose order changes from run to run: give a list")
    if isinstance(given, Mapping):
        raise _fault(
            part,
            f"gives a mapping of {brief([*given])}: for parts of a data set give "
            "data.ProblemSet(train, held_out)",
        )
    if isinstance(given, str | bytes) or not _is_iterable(part, given):
        lacks = lacking(given)
        near = f" (to be a Task it lacks {', '.join(lacks)})" if lacks else ""
        raise _fault(part, f"gives {brief(given)}{near}; {_NEEDED}")


def _is_iterable(part: Part, given: Any) -> bool:
    with part.explained():
        try:
            iter(given)
        except TypeError:
            return False
    return True


def _problem(part: Part, given: Any, id: str, place: int) -> Problem:
    fields, extra = _fields(part, given, place)
    if fields.get("problem") is None:
        has = ", ".join([*fields, *extra]) or "nothing"
        raise _fault(part, f"gives number {place} without `problem`, its statement; it has {has}")
    for name, value in fields.items():
        _refuse_no_text(part, value, name, place)
    if not fields["problem"].strip():
        raise _fault(part, f"gives number {place} with an empty `problem`")
    texts: dict[str, Any] = {name: fields.get(name) or "" for name in _TEXTS}
    texts["id"] = texts["id"] if texts["id"].strip() else id
    texts["solution"] = texts["solution"] or None
    return Problem(**texts, extra=extra)


def _fields(part: Part, given: Any, place: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that every problem has, and the others."""
    if isinstance(given, str):
        given = {"problem": given}
    if isinstance(given, Problem):
        return {name: getattr(given, name) for name in _TEXTS}, dict(given.extra)
    if not isinstance(given, Mapping):
        raise _fault(part, f"gives {brief(given)} as number {place}; {_NEEDED}")
    own = {name: given[name] for name in _TEXTS if name in given}
    return own, {str(name): given[name] for name in given if name not in _TEXTS}


def _refuse_no_text(part: Part, value: Any, name: str, place: int) -> None:
    if not (value is None or isinstance(value, str)):
        hint = f'; write "{value}"' if isinstance(value, int | float) else ""
        raise _fault(
            part, f"gives number {place} with {brief(value)} as `{name}`, which is no text" + hint
        )
    if value and not value.isascii() and value != value.encode(errors="ignore").decode():
        raise _fault(part, f"gives number {place} with half a surrogate pair in `{name}`")


def _refuse_repeated_ids(part: Part, problems: Iterable[Problem]) -> None:
    places: dict[str, int] = {}
    for place, problem in enumerate(problems, 1):
        first = places.setdefault(problem.id, place)
        if first != place:
            raise _fault(
                part,
                f"gives the id {brief(problem.id)} to number {first} and to number "
                f"{place}: every id must be unique, or left out",
            )


def _refuse_shared_ids(part: Part, train: Sequence[Problem], held_out: Sequence[Problem]) -> None:
    """Refuse an id that names one problem in training and another one held out."""
    known = {problem.id: problem for problem in train}
    for problem in held_out:
        if known.get(problem.id, problem) != problem:
            raise _fault(
                part,
                f"gives the id {brief(problem.id)} to a problem to train on and to "
                "another one that is held out",
            )


def _parted(
    part: Part, problems: Sequence[Problem], share: float
) -> tuple[list[Problem], list[Problem]]:
    parts: tuple[list[Problem], list[Problem]] = ([], [])
    for problem in problems:
        parts[is_held_out(problem, share=share)].append(problem)
    if not all(parts):
        which = "all" if parts[1] else "none"
        how = "say which (ask for `held_out`, or give a data.ProblemSet)"
        if not part.spec.is_foreign:
            how = "name what is held out, as an eval_file or eval_split beside it, or eval.held_out"
        raise _fault(
            part,
            f"gives {len(problems)} problems, of which {which} are held out by "
            f"task.held_out_share {share:g}, which goes by a hash of each: change it, or {how}",
        )
    return parts


def _told(part: Part, function: Any, name: str = "worked") -> Any:
    """A function of problems of the user's own, whose faults are told as those of the task."""

    def run(problem: Problem, *given: Any) -> str | None:
        with part.explained():
            text = function(problem, *given)
        if not (text is None or isinstance(text, str)):
            raise _fault(part, f"has {brief(text)} as `{name}` of {problem.id!r}, which is no text")
        return text

    return run
