"""Run folders: what a training or evaluation run left on disk, read for comparison."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sage_jax import yaml_text
from sage_jax.evaluate.completions import Completion, evaluation_parts, read_completions
from sage_jax.evaluate.metrics import read_metrics
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.samples import Sample, read_samples
from sage_jax.files import ResultError
from sage_jax.paths import as_path, resolved


@dataclass(frozen=True)
class Run:
    """One run folder (an "arm" where several are compared).

    Attributes:
        name: what it is called in plots and tables; unique among the runs compared.
        path: the folder.
        config: config.yaml, {} where there is none.
        metrics: columns of metrics.jsonl, {} where there is none.
        base: evaluation of the model before training, None where there is none.
        history: evaluations made while training, by step.
        final: eval/final.json, or else the last of `history`, or None.
        samples: completions of the last file in samples/.
    """

    name: str
    path: Path
    config: dict[str, Any]
    metrics: dict[str, np.ndarray]
    base: EvalResult | None
    history: tuple[EvalResult, ...]
    final: EvalResult | None
    samples: tuple[Sample, ...]

    @property
    def shared(self) -> Path | None:
        """The folder of what arms share, in which this one lies; None of a run by itself."""
        return self.path.parent if (self.path.parent / "shared.yaml").is_file() else None

    def completions(self, result: EvalResult) -> Iterator[Completion]:
        """What an evaluation of the run kept, in order; nothing where it kept no completions.

        Raises:
            ResultError: a file of completions is corrupt, when it is come to.
        """
        for part in evaluation_parts(self.path / "eval" / result.tag):
            yield from read_completions(part)


def _holds_run(folder: Path) -> bool:
    return (folder / "metrics.jsonl").is_file() or (folder / "config.yaml").is_file()


def run_folders(paths: Sequence[str | Path]) -> list[Path]:
    """Run folders among `paths`, where a folder of arms stands for the runs inside it, by name.

    A run folder holds metrics.jsonl, config.yaml or eval/*.json.

    Raises:
        ResultError: a path that is no folder, holds no run, or is given twice.
    """
    found: list[Path] = []
    for path in map(as_path, paths):
        if not path.is_dir():
            raise ResultError(f"{path}: no such folder")
        arms = sorted(child for child in path.iterdir() if child.is_dir() and _holds_run(child))
        if _holds_run(path) or (not arms and any(path.glob("eval/*.json"))):
            arms = [path]
        if not arms:
            raise ResultError(
                f"{path}: neither a run folder (metrics.jsonl, config.yaml or eval/*.json) nor a "
                "folder of run folders"
            )
        found += arms
    places = [resolved(folder) for folder in found]
    for place in places:
        if places.count(place) > 1:
            raise ResultError(f"{place}: the same run folder is given twice")
    if not found:
        raise ResultError("no run folder given")
    return found


def _names(folders: Sequence[Path]) -> list[str]:
    """Folder names, with as many parents as it takes to tell them apart."""
    parts = [resolved(folder).parts for folder in folders]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return [f"{name} (run)" if name == "base" else name for name in names]


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = yaml_text.read(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of the encoding, too
        raise ResultError(f"{path}: not YAML ({error})") from error
    if not isinstance(content, dict):
        raise ResultError(f"{path}: must hold a mapping, got {type(content).__name__}")
    return content


def _last_samples(folder: Path) -> tuple[Sample, ...]:
    for path in sorted(folder.glob("step-*.jsonl"), reverse=True):
        samples = read_samples(path)
        if samples:
            return samples
    return ()


def _load_if_there(path: Path) -> EvalResult | None:
    return EvalResult.load(path) if path.is_file() else None


def read_run(folder: str | Path, *, name: str | None = None) -> Run:
    """Reads what there is of a run folder; a run still going has less in it, which is fine.

    Args:
        folder: the run folder.
        name: what to call it; the folder's name by default.

    Raises:
        ResultError: a file in it is corrupt; file, place and value are named.
    """
    folder = as_path(folder)
    metrics = folder / "metrics.jsonl"
    steps = sorted((folder / "eval").glob("step-*.json"))
    history = sorted((EvalResult.load(path) for path in steps), key=lambda result: result.step)
    final = _load_if_there(folder / "eval" / "final.json")
    return Run(
        name=name or _names([folder])[0],
        path=folder,
        config=_config(folder / "config.yaml"),
        metrics=read_metrics(metrics) if metrics.is_file() else {},
        base=_load_if_there(folder / "eval" / "base.json"),
        history=tuple(history),
        final=final or (history[-1] if history else None),
        samples=_last_samples(folder / "samples"),
    )


def read_runs(paths: Sequence[str | Path]) -> list[Run]:
    """Reads run folders, or folders of arms, in the order given.

    Raises:
        ResultError: as `run_folders` and `read_run`.
    """
    folders = run_folders(paths)
    names = _names(folders)
    return [read_run(folder, name=name) for folder, name in zip(folders, names, strict=True)]


def base_results(runs: Sequence[Run]) -> dict[str, EvalResult]:
    """The distinct base evaluations of runs: {"base": ...}, or one per run where they differ.

    Arms of one study start from one model and share its evaluation; runs that do not are kept
    apart as "base of NAME".
    """
    distinct: dict[str, EvalResult] = {}
    for run in runs:
        if run.base is not None and all(run.base != other for other in distinct.values()):
            distinct[f"base of {run.name}"] = run.base
    if len(distinct) == 1:
        return {"base": next(iter(distinct.values()))}
    return distinct
