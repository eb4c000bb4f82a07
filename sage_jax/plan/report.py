"""A plan as tables for people and as JSON for programs."""

import dataclasses
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sage_jax.plan import evaluations
from sage_jax.plan.arrays import Array
from sage_jax.plan.chip_hours import LOWER_BOUND, RunCost
from sage_jax.plan.compile import Step
from sage_jax.plan.plan import Plan, fits
from sage_jax.plan.roofline import ASSUMPTIONS, roofline

_UNITS = ("", "k", "M", "G", "T", "P", "E")


def write(plan: Plan, console: Console) -> None:
    """Print the plan."""
    chip = plan.topology.chip
    axes = " x ".join(f"{axis} {size}" for axis, size in plan.mesh.items())
    console.print(
        f"[bold]{escape(plan.config.name)}[/] on {plan.topology.name}: "
        f"{len(plan.topology.devices)} devices ({axes}), {size_text(chip.memory)} each; "
        f"{_si(plan.parameters)} parameters"
    )
    if plan.why:
        console.print(escape(plan.why))
    if plan.estimated:
        console.print(escape(f"Memory is by formula, since {plan.topology.reason}."))
    console.print(_memory(plan))
    if not plan.estimated:
        console.print(_work(plan))
        console.print(ASSUMPTIONS, style="dim")
    if plan.cost is not None:
        console.print(_cost(plan.cost))
        console.print(_evaluations(plan))
        console.print(LOWER_BOUND, style="dim")
    _write_arrays(plan, console)
    _write_verdict(plan, console)
    if plan.found:
        console.print(_found(plan))


def size_text(size: float) -> str:
    """Bytes in GiB, or MiB below one hundredth of it."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 / 100 else f"{size / 2**20:.2f} MiB"


def _si(value: float) -> str:
    place = 0
    while value >= 1000 and place < len(_UNITS) - 1:
        value, place = value / 1000, place + 1
    return f"{value:.3g} {_UNITS[place]}".strip() if place else f"{value:.3g}"


def _time(seconds: float) -> str:
    if not seconds:
        return "-"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def _memory(plan: Plan) -> Table:
    table = Table(title="Memory per device", title_justify="left")
    for name in (
        "step",
        "arguments",
        "new outputs",
        "temporaries",
        "kept beside",
        "peak",
        "of the chip",
        "fits",
    ):
        table.add_column(name, justify="left" if name == "step" else "right")
    for step in plan.steps:
        if step.memory is None:
            table.add_row(step.name, *["-"] * 5, "-", "[red]no[/]")
            continue
        m = step.memory
        parts = (m.arguments, m.outputs - m.aliased, m.temporaries + m.code, m.beside, m.peak)
        share = f"{m.peak / plan.topology.chip.memory:.0%}"
        verdict = "yes" if fits(step, plan.topology) else "[red]no[/]"
        table.add_row(step.name, *map(size_text, parts), share, verdict)
    return table


def _work(plan: Plan) -> Table:
    table = Table(title="Work per device", title_justify="left")
    for name in (
        "step",
        "FLOPs",
        "bytes moved",
        "bytes sent (runs)",
        "compiled in",
        "time, estimate",
        "limit",
    ):
        table.add_column(name, justify="left" if name in ("step", "limit") else "right")
    for step in [*plan.steps, *plan.instead]:
        for name, cost in step.work:
            estimate = roofline(cost, plan.topology.chip)
            sent = "\n".join(
                f"{kind} {_si(size)}B ({cost.calls[kind]:,})" for kind, size in cost.sent.items()
            )
            table.add_row(
                name,
                _si(cost.flops),
                _si(cost.moved) + "B",
                sent or "none",
                f"{step.seconds:.0f} s",
                _time(estimate.seconds),
                estimate.limit,
            )
    return table


def _cost(cost: RunCost) -> str:
    return (
        f"The run, at the least: {_time(cost.step_seconds)} a step, {cost.hours:,.3g} hours for "
        f"{cost.steps:,} steps, {cost.chip_hours:,.4g} chip-hours on {cost.devices} devices."
    )


def _evaluations(plan: Plan) -> str:
    cost, drawn = plan.evaluation_cost, evaluations.completions(plan.config)
    if cost is None or not drawn:
        return "Its evaluations draw nothing."
    trained = plan.config.train.steps * plan.config.rollout.num_completions
    return (
        f"Its evaluations draw {drawn:,} completions, training {trained:,}: at the rollout's pace "
        f"{cost.hours:,.3g} hours, {cost.chip_hours:,.4g} chip-hours more."
    )


def _write_arrays(plan: Plan, console: Console) -> None:
    title = "Largest arrays per device: kept, and alive at each step's peak"
    table = Table(title=title, title_justify="left")
    table.add_column("where")
    table.add_column("size", justify="right")
    table.add_column("shape")
    table.add_column("origin", overflow="fold")
    for where, listed in [("kept", plan.arrays), *_listed(plan)]:
        for array in listed[:4]:
            shape = f"{array.count} x {array.shape}" if array.count > 1 else array.shape
            table.add_row(where, size_text(array.size), shape, array.origin)
    console.print(table)


def _listed(plan: Plan) -> list[tuple[str, list[Array]]]:
    return [(step.name, step.arrays) for step in [*plan.steps, *plan.instead]]


def _write_verdict(plan: Plan, console: Console) -> None:
    if plan.fits:
        console.print("[green]It fits.[/]")
        return
    for step in plan.steps:
        if step.refusal:
            console.print(f"[red]{step.name} does not fit[/]: {step.refusal}")
        elif not fits(step, plan.topology):
            console.print(f"[red]{step.name} does not fit[/]")
    for step in plan.instead:
        if step.memory is not None:
            console.print(f"{step.name} would need about {size_text(step.memory.peak)}")
    console.print("What would help most, by formula:")
    for change in plan.changes:
        console.print(f"  {change.text} (about {size_text(change.saved)} less)")


def _found(plan: Plan) -> Table:
    table = Table(title="Largest micro-batch that fits, the fastest first", title_justify="left")
    for name in ("model.remat", "optimizer.micro_batch", "peak", "update, estimate"):
        table.add_column(name, justify="right")
    for one in plan.found:
        micro = f"{one.micro_batch}" if one.micro_batch else "none"
        table.add_row(one.remat, micro, size_text(one.peak), _time(one.seconds))
    return table


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON: bytes, FLOPs and seconds are per device."""
    chip = plan.topology.chip
    return {
        "config": plan.config.name,
        "topology": plan.topology.name,
        "devices": len(plan.topology.devices),
        "mesh": plan.mesh,
        "why": plan.why,
        "chip": {"name": chip.name, "memory": chip.memory, "source": chip.source},
        "parameters": plan.parameters,
        "kept": plan.kept,
        "estimated": plan.estimated,
        "fits": plan.fits,
        "steps": [_step_json(step, plan) for step in plan.steps],
        "instead": [_step_json(step, plan) for step in plan.instead],
        "largest_kept": [dataclasses.asdict(array) for array in plan.arrays],
        "cost": plan.cost and _cost_json(plan.cost),
        "evaluations": plan.evaluation_cost and _evaluations_json(plan, plan.evaluation_cost),
        "changes": [dataclasses.asdict(change) for change in plan.changes],
        "search": [dataclasses.asdict(one) for one in plan.found],
        "assumptions": ASSUMPTIONS,
    }


def _cost_json(cost: RunCost) -> dict[str, Any]:
    derived = {"hours": cost.hours, "chip_hours": cost.chip_hours, "bound": LOWER_BOUND}
    return dataclasses.asdict(cost) | derived


def _evaluations_json(plan: Plan, cost: RunCost) -> dict[str, Any]:
    drawn = evaluations.completions(plan.config)
    return {"completions": drawn, "hours": cost.hours, "chip_hours": cost.chip_hours}


def _step_json(step: Step, plan: Plan) -> dict[str, Any]:
    memory = step.memory
    return {
        "name": step.name,
        "fits": fits(step, plan.topology),
        "refusal": step.refusal,
        "memory": memory and dataclasses.asdict(memory) | {"peak": memory.peak},
        "compile_seconds": round(step.seconds, 2),
        "compile_cpu_seconds": round(step.cpu_seconds, 2),
        "largest": [dataclasses.asdict(array) for array in step.arrays],
        "bound": step.costs.bound if step.costs else 0,
        "work": {
            name: dataclasses.asdict(cost)
            | dataclasses.asdict(roofline(cost, plan.topology.chip))
            | {"seconds": roofline(cost, plan.topology.chip).seconds}
            for name, cost in step.work
        },
    }
