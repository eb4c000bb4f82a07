"""How the cost of a step grows: tokens, group size, vocabulary and depth, each doubled three times.

    python benchmarks/growth.py            # also draws docs/growth.png

From one shape and size, one of the four at a time: seconds of a rollout, of scoring and of an
update. Rows have their full length. A slope of 1 in the table means twice as much costs twice as
much; it is fitted over all four points.
"""

import argparse
import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import results
from phases import Phases, timed
from shapes import SHAPES
from work import Sizes

from sage_jax.evaluate.report.theme import LIGHT

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "growth.png"
PHASES = ("rollout", "score", "update")
AXES = {
    "tokens": "new tokens a row",
    "group": "completions a prompt",
    "vocabulary": "vocabulary",
    "depth": "layers",
}


def main() -> None:
    """Measure, draw, and write benchmarks/results/growth.{json,md}."""
    parser = _parser()
    options = parser.parse_args()
    shape = dataclasses.replace(
        SHAPES["smollm2"], vocab_size=options.vocab, hidden_size=options.width, head_dim=32,
        intermediate_size=options.width * 8 // 3, num_layers=options.layers,
        num_heads=options.width // 32, num_kv_heads=options.width // 64,
    )  # fmt: skip
    sizes = Sizes(options.prompts, options.group, options.prompt_length, options.length)
    points = {axis: measure(axis, Phases(shape, sizes), options) for axis in AXES}
    figures = {"task": vars(options), "points": points}
    command = results.command(options, parser.parse_args([]), "growth.py")
    results.write("growth", command, figures, as_table(points))
    draw(points, options.picture)


def measure(axis: str, phases: Phases, options: Any) -> list[dict[str, float]]:
    """Median seconds of each phase at 1, 2, 4 and 8 times the amount."""
    points = []
    for doublings in range(options.doublings + 1):
        amount, grown = grow(axis, phases, 2**doublings)
        points.append({"amount": amount} | seconds_of(grown, options.rounds))
        print(axis, points[-1], flush=True)
    return points


@functools.cache
def seconds_of(phases: Phases, rounds: int) -> dict[str, float]:
    """Of each phase; the point that all axes start from is measured once."""
    runs = (phases.generate(phases.sizes.length), phases.score(), phases.update())
    seconds = [results.median(*timed([run], rounds)) for run in runs]
    return dict(zip(PHASES, seconds, strict=True))


def grow(axis: str, phases: Phases, factor: int) -> tuple[int, Phases]:
    """The amount, and the phases with `factor` times as much of it."""
    shape, sizes = phases.shape, phases.sizes
    match axis:
        case "tokens":
            sizes = dataclasses.replace(sizes, length=sizes.length * factor)
            amount = sizes.length
        case "group":
            sizes = dataclasses.replace(sizes, group=sizes.group * factor)
            amount = sizes.group
        case "vocabulary":
            shape = dataclasses.replace(shape, vocab_size=shape.vocab_size * factor)
            amount = shape.vocab_size
        case _:
            shape = dataclasses.replace(shape, num_layers=shape.num_layers * factor)
            amount = shape.num_layers
    return amount, dataclasses.replace(phases, shape=shape, sizes=sizes)


def as_table(points: dict[str, list[dict[str, float]]]) -> str:
    """Seconds and slope of each phase along each axis."""
    rows = []
    for axis, made in points.items():
        amounts = [point["amount"] for point in made]
        for phase in PHASES:
            seconds = [point[phase] for point in made]
            slope = np.polyfit(np.log(amounts), np.log(seconds), 1)[0]
            doubled = f"{AXES[axis]}: {', '.join(map(str, amounts))}"
            said = ", ".join(f"{value:.3f}" for value in seconds)
            rows.append([doubled, phase, said, f"{slope:.2f}"])
    return results.table(("what is doubled", "phase", "seconds", "slope"), rows)


def draw(points: dict[str, list[dict[str, float]]], picture: Path) -> None:
    """Four panels, both axes logarithmic, with the line of slope 1."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(11, 3.2), layout="constrained")
    panels = figure.subplots(1, len(points), sharey=True)
    for panel, (axis, made) in zip(panels, points.items(), strict=True):
        amounts = np.array([point["amount"] for point in made])
        for phase, color in zip(PHASES, LIGHT.arms, strict=False):
            seconds = [point[phase] for point in made]
            panel.loglog(amounts, seconds, "o-", label=phase, color=color)
        line = made[0]["update"] * amounts / amounts[0]
        panel.loglog(amounts, line, ":", color=LIGHT.muted, label="slope 1")
        panel.set(xlabel=AXES[axis], xticks=amounts, xticklabels=amounts)
        panel.minorticks_off()
    panels[0].set_ylabel("seconds")
    panels[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[0].yaxis.set_major_formatter("{x:g}")
    panels[0].legend(frameon=False)
    figure.savefig(picture, dpi=130)
    print(f"drawn: {picture}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="How cost grows.")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--group", type=int, default=2)
    parser.add_argument("--prompt-length", type=int, default=32)
    parser.add_argument("--length", type=int, default=16)
    parser.add_argument("--vocab", type=int, default=8192)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--doublings", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    return parser


if __name__ == "__main__":
    main()
