"""Plans as tables in Markdown.

    mkdir -p plans
    for config in configs/*_v5*.yaml; do
      sage-jax plan $config --json > plans/$(basename $config .yaml).json
    done
    python benchmarks/plan_table.py plans/*.json

With --scaling the plans are compared with the first of them instead, and with --arms each has one
row, with what its run costs:

    sage-jax plan configs/arena_7b.yaml --arm zcpo --json > plans/zcpo.json
    python benchmarks/plan_table.py --arms plans/zcpo.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

GIB = 2**30


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description="Plans as tables.")
    parser.add_argument("plans", nargs="+", type=Path)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--scaling", action="store_true")
    kinds.add_argument("--arms", action="store_true")
    arguments = parser.parse_args()
    plans = [json.loads(path.read_text()) for path in arguments.plans]
    make = scaling if arguments.scaling else arms if arguments.arms else table
    print("\n".join(make(plans)))


def table(plans: list[dict[str, Any]]) -> list[str]:
    """A row for each step of each plan."""
    names = ("config", "slice", "mesh", "step", "peak", "of it temporaries", "FLOPs", "sent",
             "estimate", "compiled in", "CPU time")  # fmt: skip
    lines = [_line(names), _line(["---"] * len(names))]
    for plan in plans:
        mesh = " x ".join(f"{axis} {size}" for axis, size in plan["mesh"].items() if size > 1)
        place = [plan["config"], plan["topology"], mesh]
        for step in plan["steps"]:
            lines.append(_line([*place, *_step(step)]))
            place = ["", "", ""]
    return lines


def _step(step: dict[str, Any]) -> list[str]:
    memory, work = step["memory"], step["work"].values()
    if memory is None:
        return [step["name"], "does not fit", *[""] * 6]
    sent: dict[str, float] = {}
    for part in work:
        for kind, size in part["sent"].items():
            sent[kind] = sent.get(kind, 0) + size
    large = {kind: size for kind, size in sent.items() if size >= 0.01 * sum(sent.values())}
    return [
        step["name"],
        f"{memory['peak'] / GIB:.2f} GiB" + ("" if step["fits"] else ", does not fit"),
        f"{memory['temporaries'] / GIB:.2f} GiB",
        f"{sum(part['flops'] for part in work):.3g}",
        ", ".join(f"{kind} {size / 1e9:.3g} GB" for kind, size in large.items()) or "none",
        f"{sum(part['seconds'] for part in work):.3g} s",
        f"{step['compile_seconds']:.0f} s",
        f"{step['compile_cpu_seconds']:.0f} s",
    ]


def arms(plans: list[dict[str, Any]]) -> list[str]:
    """A row for each plan: peak and time of every step, whether all fit, and what the run costs."""
    names = ("arm", "peak of rollout", "of scoring", "of update", "fits", "rollout", "scoring",
             "update", "a step", "the run", "its evaluations")  # fmt: skip
    return [_line(names), _line(["---"] * len(names)), *(_line(_arm(plan)) for plan in plans)]


def _arm(plan: dict[str, Any]) -> list[str]:
    memory = [step["memory"] for step in plan["steps"]]
    peaks = [f"{one['peak'] / GIB:.2f} GiB" if one else "refused" for one in memory]
    times = [sum(part["seconds"] for part in step["work"].values()) for step in plan["steps"]]
    cells = [plan["config"], *peaks, "yes" if plan["fits"] else "no"]
    cells += [f"{seconds:.3g} s" for seconds in times]
    if plan["cost"] is None:
        return [*cells, "-", "-", "-"]
    run = f"{plan['cost']['chip_hours']:,.0f} chip-hours for {plan['cost']['steps']:,} steps"
    beside = f"{plan['evaluations']['chip_hours']:,.0f} chip-hours"
    return [*cells, f"{plan['cost']['step_seconds']:.3g} s", run, beside]


def scaling(plans: list[dict[str, Any]]) -> list[str]:
    """FLOPs and bytes sent of each chip, as multiples of the first plan's."""
    names = ("devices", "step", "FLOPs", "over the first", "sent", "over the first")
    lines = [_line(names), _line(["---"] * len(names))]
    for plan in plans:
        for step, first in zip(plan["steps"], plans[0]["steps"], strict=True):
            flops, sent = _totals(step)
            base = _totals(first)
            ratios = [
                f"{now / then:.3f}" if then else "-"
                for now, then in zip((flops, sent), base, strict=True)
            ]
            cells = (f"{flops:.4g}", ratios[0], f"{sent / 1e9:.4g} GB", ratios[1])
            lines.append(_line([str(plan["devices"]), step["name"], *cells]))
    return lines


def _totals(step: dict[str, Any]) -> tuple[float, float]:
    work = step["work"].values()
    flops = sum(part["flops"] for part in work)
    return flops, sum(size for part in work for size in part["sent"].values())


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
