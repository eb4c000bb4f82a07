"""Results of suites on disk: SUITE/TAG/seed-N.json below a folder `suites` of a run."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.runs import Run
from sage_jax.evaluate.seeded import SeededResult
from sage_jax.files import ResultError, read_json_lines

BASE = "base"
_SEED = re.compile(r"seed-(\d+)\.json")


def suite_file(home: Path, suite: str, tag: str, seed: int) -> Path:
    """Where the result of one seed lies."""
    return home / suite / tag / f"seed-{seed}.json"


def read_suites(home: Path) -> dict[str, dict[str, SeededResult]]:
    """All results below a folder: {tag: {suite: its seeds}}, by name; {} where there is none.

    Raises:
        ResultError: a file is corrupt, or seeds of one suite do not go together; it is named.
    """
    found: dict[str, dict[str, SeededResult]] = {}
    for folder in sorted(home.glob("*/*/")):
        paths = sorted(folder.glob("seed-*.json"), key=_number)
        if paths:
            suite, tag = folder.parent.name, folder.name
            found.setdefault(tag, {})[suite] = _seeded(folder, paths)
    return found


def of_runs(runs: Sequence[Run]) -> dict[str, dict[str, SeededResult]]:
    """The bases and the trained models of runs on suites: {name: {suite: its seeds}}.

    Runs that start from one model share its row. Of a run that is not at its end the model of the
    latest step stands for it.

    Raises:
        ResultError: as `read_suites`.
    """
    found: dict[str, dict[str, SeededResult]] = {}
    for run in runs:
        tags = read_suites(run.path / "suites")
        base, trained = tags.pop(BASE, None), _latest(tags)
        if base and all(base != other for other in found.values()):
            found[BASE if BASE not in found else f"base of {run.name}"] = base
        if trained:
            found[run.name] = trained
    return found


def contaminated(
    files: Iterable[Path], found: Mapping[str, Mapping[str, SeededResult]]
) -> dict[str, set[str]]:
    """Problems of suites that runs were trained on: {suite: ids}.

    Args:
        files: what the runs wrote of it, `contaminated.jsonl`; a file need not be there.
        found: {run: {suite: its seeds}}.

    Raises:
        ResultError: a file is corrupt.
    """
    ids = {
        str(line.get("evaluation_id"))
        for file in files
        if file.is_file()
        for _, line in read_json_lines(file)
    }
    suites = {name: {*one.ids} for of_run in found.values() for name, one in of_run.items()}
    return {name: own & ids for name, own in suites.items() if own & ids}


def trained_on(runs: Sequence[Run]) -> list[Path]:
    """The files of runs that say which problems they were trained on and are evaluated on too."""
    unclean = [run for run in runs if not run.config.get("task", {}).get("decontaminate", True)]
    return [run.path / "contaminated.jsonl" for run in unclean]


def _latest(tags: Mapping[str, dict[str, SeededResult]]) -> dict[str, SeededResult] | None:
    steps = sorted(tag for tag in tags if tag.startswith("step-"))
    return tags.get("final") or (tags[steps[-1]] if steps else None)


def _number(path: Path) -> int:
    match = _SEED.fullmatch(path.name)
    return int(match[1]) if match else -1


def _seeded(folder: Path, paths: Sequence[Path]) -> SeededResult:
    results = tuple(EvalResult.load(path) for path in paths)
    try:
        return SeededResult(results)
    except ResultError as error:
        raise ResultError(f"{folder}: {error}") from None
