"""Problems of Reasoning Gym, drawn by name: which are offered, with what options, in what order."""

import contextlib
import dataclasses
import hashlib
import io
import itertools
import json
import random
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pydantic

from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import is_held_out
from sage_jax.faults import told
from sage_jax.parts.modules import near_miss
from sage_jax.rewards.gym import final, harmless, library
from sage_jax.telling import line

_UNSTEADY = "draws other problems in every process"
LEFT_OUT: Mapping[str, str] = {
    "codeio": "runs code that a language model wrote, and " + _UNSTEADY,
    "coin_flip": "scores 0 as right, whatever is asked",
    "composite": "is of several data sets: name those",
    "game_of_life_halting": "scores every answer as right",
    "isomorphic_strings": _UNSTEADY,
    "knight_swap": _UNSTEADY,
    "polynomial_multiplication": _UNSTEADY,
    "puzzle24": "scores any four numbers that make 24 as right, whatever is asked",
    "ransom_note": _UNSTEADY,
    "word_ladder": _UNSTEADY,
}
"""Data sets that are not offered, and why, as of version 0.1.25.

Found by drawing 400 problems of each (50 of the slowest) under unlike seeds of Python's hashes,
and by scoring answers of other problems.
"""

_CHUNK = 500  # Problems under one seed, which is the library's own number.
_FRUITLESS = 1500  # Draws in a row that give no new problem, before it is said that none is left.
_SHARE = 0.2  # Of all problems, by a hash of their statements, that are held out under any seed.


def offered() -> list[str]:
    """Names of the data sets that problems can be drawn of. Raises as `library`."""
    return sorted(library().factory.DATASETS.keys() - LEFT_OUT.keys())


def read_name(given: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A data set as a config names it: its name and its options, as the library takes them.

    Raises:
        ValueError: there is none of this name, it is left out, or it has no such options.
    """
    named = {"name": given} if isinstance(given, str) else dict(given)
    name = named.pop("name", None)
    if not isinstance(name, str):
        raise ValueError(f"names: {given} has no name: write {{name: leg_counting, ...}}")
    if name in LEFT_OUT:
        raise ValueError(f"names: {name} is not offered: it {LEFT_OUT[name]}")
    if name not in (names := offered()):
        raise ValueError(f"names: there is no data set {name!r}{near_miss(name, names)}")
    return name, {option: _option(name, option, value) for option, value in named.items()}


def _option(name: str, option: str, value: Any) -> Any:
    """An option of a data set, of the type that it has there."""
    config = library().factory.DATASETS[name][1]
    takes = [one.name for one in dataclasses.fields(config) if one.name not in ("seed", "size")]
    if option not in takes:
        has = f"it takes {', '.join(takes)}" if takes else "it takes none"
        raise ValueError(f"names: {name} has no option {option!r}{near_miss(option, takes)}; {has}")
    form = pydantic.TypeAdapter(typing.get_type_hints(config)[option])
    try:
        return form.validate_json(json.dumps(value), strict=True)
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, (f"names: {name}", option, *fault["loc"])))
        raise ValueError(told(where, fault)) from None


def make_problems(
    seed: int, name: str, options: Mapping[str, Any], *, num_train: int, num_held_out: int
) -> tuple[list[Problem], list[Problem]]:
    """Draw distinct problems of a data set, to train on and held out.

    A problem's statement says which side it is on, so that seeds never mix them. The same arguments
    give the same problems, and fewer the first ones.

    Raises:
        ValueError: the data set refuses its options, or has not that many.
    """
    wanted = (num_train, num_held_out)
    found: tuple[dict[str, Problem], dict[str, Problem]] = ({}, {})
    fruitless = 0
    with _undisturbed():
        for problem in _drawn(seed, name, options):
            place = is_held_out(problem, share=_SHARE)
            if len(found[place]) < wanted[place] and problem.id not in found[place]:
                found[place][problem.id], fruitless = problem, 0
            else:
                fruitless += 1
            full = all(len(side) == most for side, most in zip(found, wanted, strict=True))
            if full or fruitless > _FRUITLESS:
                break
    _refuse_few(name, found, wanted)
    return [*found[0].values()], [*found[1].values()]


def _refuse_few(name: str, found: tuple[Any, Any], wanted: tuple[int, int]) -> None:
    for side, most, which in zip(found, wanted, ("num_train", "num_held_out"), strict=True):
        if len(side) < most:
            raise ValueError(
                f"names: {name} has too few distinct problems for {which} {most}: {len(side)} "
                "were found; ask for fewer, or give it options of more"
            )


def _drawn(seed: int, name: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    """What the library draws, without end, under seeds that lie far apart.

    Its own seeds do not: problem i of seed s is mostly problem i - 1 of seed s + 1. Problems whose
    own answer the reward does not read, such as integrals that sympy cannot solve, are passed over.
    """
    for chunk in itertools.count():
        digest = hashlib.sha256(f"{seed} {chunk} {name}".encode()).digest()
        drawn = int.from_bytes(digest[:4]) >> 1  # NumPy's seeds, to which places are added.
        _seed_all(drawn)
        try:
            data = library().create_dataset(name, seed=drawn, size=_CHUNK, **options)
            for entry in _chunk(data):
                if harmless(name, (entry["answer"] or "").strip()):
                    yield _problem(name, options, entry)
        except Exception as error:  # Of whatever kind: options are checked by assertions, too.
            raise ValueError(f"names: {name}: {type(error).__name__}: {line(error)}") from error


def _chunk(data: Any) -> Iterator[Mapping[str, Any]]:
    """Its problems in order; some data sets say by an IndexError that they end before."""
    for place in range(_CHUNK):
        try:
            entry = data[place]
        except IndexError:
            if place:
                return
            raise
        yield entry


def _seed_all(seed: int) -> None:
    """Seed what some data sets draw from though they have a generator of their own."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - it is the library that draws from it


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave the random numbers of the whole process as they were, and print nothing."""
    kept, kept_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        random.setstate(kept)
        np.random.set_state(kept_numpy)  # noqa: NPY002


def _problem(name: str, options: Mapping[str, Any], entry: Mapping[str, Any]) -> Problem:
    told_options, statement = repr(_plain(options)), entry["question"]
    digest = hashlib.sha256(f"{told_options} {statement}".encode()).hexdigest()
    return Problem(
        id=f"{name}-{digest[:12]}",
        problem=statement,
        answer=entry["answer"] or "",
        source=f"reasoning_gym/{name}",
        extra={
            "data_set": name,
            "options": told_options,
            "metadata": repr(_plain(entry["metadata"])),
        },
    )


def _plain(value: Any) -> Any:
    """The same in types that have a literal in Python: JSON would make lists of tuples."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    for kind in (list, tuple):
        if isinstance(value, kind):
            return kind(map(_plain, value))
    if isinstance(value, set | frozenset):
        return {*map(_plain, value)}
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def worked(problem: Problem, draw: int) -> str | None:
    r"""A demonstration: the answer, boxed; None where there is none, or no box can hold it."""
    text, answer = f"\\boxed{{{problem.answer}}}", problem.answer.strip()
    return text if answer and final(text) == answer else None
