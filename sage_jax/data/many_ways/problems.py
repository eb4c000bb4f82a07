"""Problems of all domains: drawn, judged, and worked out."""

import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Literal

import numpy as np

from sage_jax.data.many_ways.change import CHANGE
from sage_jax.data.many_ways.colours import COLOURS
from sage_jax.data.many_ways.countdown import COUNTDOWN
from sage_jax.data.many_ways.domain import Domain, Facts
from sage_jax.data.many_ways.orders import ORDERS
from sage_jax.data.many_ways.paths import PATHS
from sage_jax.data.problem import DataError, Problem
from sage_jax.rewards.boxes import boxes
from sage_jax.rewards.thinking import after_thinking

Name = Literal["change", "colours", "countdown", "orders", "paths"]
DOMAINS: Mapping[str, Domain] = {
    "change": CHANGE,
    "colours": COLOURS,
    "countdown": COUNTDOWN,
    "orders": ORDERS,
    "paths": PATHS,
}
_FEWEST, _MOST = 2, 100  # Modes of a problem.
_FRUITLESS = 3000  # Draws in a row that give no new problem, before it is said that none is left.


def make_problems(
    seed: int, count: int, *, domain: str, level: int, held_out: bool = False
) -> list[Problem]:
    """Draw distinct problems with two to a hundred modes.

    A problem's facts say which side of the split it is on (one in five is held out), so that
    seeds never mix them. The same arguments give the same problems, and fewer the first ones.

    Args:
        seed: of the draws.
        count: how many.
        domain: of `DOMAINS`.
        level: 1 to 5.
        held_out: the side.

    Returns:
        Problems with `extra` columns `domain` and `facts` (JSON text); `answer` is one of many.

    Raises:
        DataError: if there are not that many.
    """
    generator, found = np.random.default_rng([seed, level, len(domain), *domain.encode()]), {}
    fruitless = 0
    while len(found) < count and fruitless < _FRUITLESS:
        fruitless += 1
        facts = DOMAINS[domain].draw(generator, level)
        text = json.dumps(facts, sort_keys=True)
        digest = hashlib.sha256(f"{domain} {text}".encode()).digest()
        if (digest[0] < 256 // 5) != held_out or text in found:
            continue
        if problem := _problem(domain, level, facts, text, digest.hex()[:12]):
            found[text], fruitless = problem, 0
    if len(found) < count:
        raise DataError(
            f"{domain} of level {level} has fewer than {count} distinct problems: {len(found)} "
            "were found; ask for fewer, or a higher level"
        )
    return list(found.values())


def _problem(domain: str, level: int, facts: Facts, text: str, name: str) -> Problem | None:
    answers = [*itertools.islice(DOMAINS[domain].answers(facts), _MOST + 1)]
    if not _FEWEST <= len(answers) <= _MOST:
        return None
    return Problem(
        id=f"{domain}-{level}-{name}",
        problem=DOMAINS[domain].ask(facts),
        answer=answers[0],
        source=f"many_ways/{domain}/{level}",
        extra={"domain": domain, "facts": text, "num_modes": len(answers)},
    )


def modes_of(problem: Problem) -> list[str]:
    """A right answer of each mode, as written."""
    return [*DOMAINS[problem.extra["domain"]].answers(json.loads(problem.extra["facts"]))]


def judge(completion: str, domain: str, facts: str) -> float:
    r"""1 where the last `\boxed{...}` of a completion answers the problem, in whatever way, else 0.

    `domain` and `facts` are columns of the problem.
    """
    return float(_way(completion, domain, facts) is not None)


def way_of(problem: Problem, completion: str) -> str:
    """The way in which a completion is right; empty where it is wrong."""
    return _way(completion, problem.extra["domain"], problem.extra["facts"]) or ""


def _way(completion: str, domain: str, facts: str) -> str | None:
    said = after_thinking(completion)
    found = boxes(said) if said is not None else []
    return DOMAINS[domain].mode(json.loads(facts), found[-1]) if found else None


def worked(problem: Problem, draw: int) -> str:
    r"""A demonstration: one of the right answers, boxed; draws go through the modes in turn."""
    answers = modes_of(problem)
    return f"\\boxed{{{answers[draw % len(answers)]}}}"
