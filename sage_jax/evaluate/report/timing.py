"""Where the time of runs went: tables of a report, as markup."""

from collections.abc import Mapping, Sequence

import numpy as np

from sage_jax.evaluate.report.page import Html, arm_name, table, tag
from sage_jax.evaluate.report.tables import Looks, plain
from sage_jax.evaluate.runs import Run

_PARTS = {
    "sampling": ("rollout",),
    "waiting for verdicts": ("reward",),
    "learning": ("logprobs", "update"),
}
"""Names of phases in metrics.jsonl that are one part of a step."""


def split_table(runs: Sequence[Run], looks: Looks) -> Html:
    """Shares of a step: sampling, waiting for verdicts, learning, and the rest; with a bar each."""
    shares = {run.name: own for run in runs if (own := split(run.metrics))}
    if not shares:
        return Html("")
    rows = [
        [arm_name(name, looks[name]), *(f"{share:.0%}" for share in own.values()), _bar(own)]
        for name, own in shares.items()
    ]
    parts = next(iter(shares.values()))
    return table(["arm", *parts, ""], rows, caption="Shares of a step, of its median seconds.")


def split(metrics: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Share of a step by part; {} where its seconds were not recorded.

    >>> seconds = {"step": 10.0, "rollout": 6.0, "logprobs": 1.0, "update": 2.0}
    >>> split({f"seconds/{name}": np.array([value]) for name, value in seconds.items()})
    {'sampling': 0.6, 'waiting for verdicts': 0.0, 'learning': 0.3, 'the rest': 0.1}
    """
    whole = _figure(metrics, "seconds/step")
    parts = {
        part: sum(np.nan_to_num(_figure(metrics, f"seconds/{name}")) for name in names)
        for part, names in _PARTS.items()
    }
    # Medians of parts may be more than that of the whole.
    whole = max(whole, sum(parts.values()))
    if not whole > 0:
        return {}
    rest = whole - sum(parts.values())
    return {
        part: round(float(own / whole), 4) for part, own in (parts | {"the rest": rest}).items()
    }


def _bar(shares: Mapping[str, float]) -> Html:
    """A bar of the shares, which the cells beside it tell in numbers."""
    pieces = [tag("i", style=f"width:{share:.1%}") for share in shares.values()]
    return tag("div", *pieces, class_="split", aria_hidden="true")


def _duration(seconds: float) -> str:
    if not np.isfinite(seconds):
        return "—"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _figure(metrics: Mapping[str, np.ndarray], key: str, reduce=np.median) -> float:
    values = metrics.get(key, np.zeros(0))
    values = values[np.isfinite(values)]
    return float(reduce(values)) if len(values) else np.nan


def _phases(runs: Sequence[Run], prefix: str) -> list[str]:
    """Names of the timed phases: rollout, reward, update, or whatever the runs recorded."""
    keys = dict.fromkeys(key for run in runs for key in run.metrics if key.startswith(prefix))
    return list(keys)


def _wall_time(run: Run) -> float:
    """Seconds since the start; a run that only timed its steps gives their sum."""
    recorded = _figure(run.metrics, "time", np.max)
    return recorded if np.isfinite(recorded) else _figure(run.metrics, "seconds/step", np.sum)


def timing_table(runs: Sequence[Run], looks: Looks) -> Html:
    """Steps, wall time, median seconds per phase, throughput and peak memory of each arm."""
    seconds, speeds = _phases(runs, "seconds/"), _phases(runs, "tokens_per_s/")
    rows = []
    for run in runs:
        if not len(run.metrics.get("step", ())):
            continue
        memory = _figure(run.metrics, "memory/peak_bytes", np.max) / 2**30
        rows.append(
            [
                arm_name(run.name, looks[run.name]),
                f"{_figure(run.metrics, 'step', np.max):.0f}",
                _duration(_wall_time(run)),
                *(plain(_figure(run.metrics, key), "{:.3g} s") for key in seconds),
                *(plain(_figure(run.metrics, key), "{:,.0f}") for key in speeds),
                plain(memory, "{:.2f} GiB"),
            ]
        )
    heads = [key.removeprefix("seconds/") for key in seconds]
    heads += [f"{key.removeprefix('tokens_per_s/')} tokens/s" for key in speeds]
    caption = "Seconds and throughput are medians over steps; memory is the peak."
    return table(["arm", "step", "time", *heads, "peak memory"], rows, caption=caption)
