"""Medians, ratios with their spread, and the files that results are kept in."""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from machine import machine
from peers.serve import versions

FOLDER = Path(__file__).resolve().parent / "results"


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def ratio(of: Iterable[float], over: Iterable[float]) -> dict[str, float]:
    """The first over the second, round by round: the median and the extremes."""
    pairs = [a / b for a, b in zip(of, over, strict=True)]
    return {"median": median(pairs), "min": min(pairs), "max": max(pairs)}


def shard(found: dict[str, float]) -> str:
    """A ratio for a table: median (min to max)."""
    return f"{found['median']:.2f} ({found['min']:.2f} to {found['max']:.2f})"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def write(name: str, command: str, figures: dict[str, Any], markdown: str) -> None:
    """Keep the figures as JSON and as Markdown, with machine and versions, and print the latter."""
    FOLDER.mkdir(exist_ok=True)
    whole = {"command": command, "machine": machine(), "versions": versions(), **figures}
    where = " · ".join(f"{key}: {value}" for key, value in whole["machine"].items() if value)
    text = f"# {name}\n\n`{command}`\n\n{markdown}\n\n{where}\n"
    (FOLDER / f"{name}.json").write_text(json.dumps(whole, indent=1, default=str) + "\n")
    (FOLDER / f"{name}.md").write_text(text)
    print("\n" + text)


def command(arguments: Any, defaults: Any, script: str) -> str:
    """The command line that gave these arguments, defaults left out."""
    given = {k: v for k, v in vars(arguments).items() if v != getattr(defaults, k)}
    said = [f"--{key.replace('_', '-')}{'' if value is True else f' {value}'}"
            for key, value in given.items()]  # fmt: skip
    return " ".join(["python", f"benchmarks/{script}", *said])
