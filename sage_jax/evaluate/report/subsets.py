"""Suites beside what is left of them without some of their problems."""

from collections.abc import Collection, Mapping

from sage_jax.evaluate.report.suite_table import AVERAGE, Result, Runs

CLEAN = "clean"


def with_clean(
    runs: Runs, contaminated: Mapping[str, Collection[str]]
) -> tuple[dict[str, dict[str, Result]], dict[str, tuple[str, ...]]]:
    """Each suite, and beside it the same without the problems that stand in the training set.

    Args:
        runs: {run: {suite: evaluation}}.
        contaminated: {suite: ids of such problems}; a suite that has none stays alone.

    Returns:
        (runs, averages), as `suite_table` takes them: "SUITE (clean, N)" stands after SUITE, N
        problems being left. There are two averages, of the suites as they are, and of those that
        have a clean part in its place: never of both.

    Raises:
        ResultError: no problem of a suite would be left.
    """
    widened: dict[str, dict[str, Result]] = {}
    clean: dict[str, str] = {}
    for run, suites in runs.items():
        widened[run] = {}
        for suite, result in suites.items():
            widened[run][suite] = result
            left = result.without(contaminated.get(suite, ()))
            clean.setdefault(suite, suite)
            if left.ids != result.ids:
                clean[suite] = f"{suite} ({CLEAN}, {len(left.ids)})"
                widened[run][clean[suite]] = left
    averages = {}
    if len(clean) > 1:
        averages[AVERAGE] = tuple(clean)
        if any(name != suite for suite, name in clean.items()):
            averages[f"{AVERAGE} ({CLEAN})"] = tuple(clean.values())
    return widened, averages
