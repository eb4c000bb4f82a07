"""The plan of a run: what its steps need and cost on a slice, and whether they fit."""

import dataclasses
from typing import Any

from sage_jax import config as configs
from sage_jax.plan import arrays, evaluations, memory
from sage_jax.plan.abstract import Abstract, open_abstract, shape_and_task
from sage_jax.plan.advice import Change, advise
from sage_jax.plan.arrays import Array
from sage_jax.plan.chip_hours import RunCost, run_cost
from sage_jax.plan.compile import Step, compile_steps
from sage_jax.plan.errors import PlanError
from sage_jax.plan.estimate import estimate
from sage_jax.plan.search import Found, search
from sage_jax.plan.topology import Topology, names, open_topology, roomy
from sage_jax.setup.mesh import resolve_mesh

_LISTED = 6  # Largest arrays that the run keeps.


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that the report shows.

    Attributes:
        config: the run's.
        topology: the slice.
        mesh: sizes of its axes.
        why: the reason for them, where they were picked.
        parameters: of the model.
        kept: bytes per chip of what lies there through the whole run, by name.
        arrays: the largest of them.
        steps: compiled, or by formula.
        estimated: whether memory is by formula.
        instead: of steps that the compiler refused: the same steps compiled for a chip with room.
        changes: what would help, where something does not fit.
        found: of a search.
    """

    config: configs.Config
    topology: Topology
    mesh: dict[str, int]
    why: str
    parameters: int
    kept: dict[str, int]
    arrays: list[Array]
    steps: list[Step]
    estimated: bool
    instead: list[Step]
    changes: list[Change]
    found: list[Found]

    @property
    def fits(self) -> bool:
        """Whether every step fits its chip."""
        return all(fits(step, self.topology) for step in self.steps)

    @property
    def cost(self) -> RunCost | None:
        """Of all training steps; None where one was not compiled or the chip has no known rates."""
        return self._cost(self.steps, times=self.config.train.steps)

    @property
    def evaluation_cost(self) -> RunCost | None:
        """Of the evaluations, as rollouts that draw as many completions; None as `cost`."""
        sampling = [step for step in self.steps if step.name == "rollout"]
        return self._cost(sampling, times=evaluations.rollouts(self.config))

    def _cost(self, steps: list[Step], *, times: int) -> RunCost | None:
        if any(step.costs is None for step in steps):
            return None
        work = [cost for step in steps for _, cost in step.work]
        devices = len(self.topology.devices)
        return run_cost(work, self.topology.chip, steps=times, devices=devices)


def fits(step: Step, topology: Topology) -> bool:
    """Whether a step was compiled and needs no more than the chip has."""
    return step.memory is not None and step.memory.peak <= topology.chip.memory


def choose(config: configs.Config, topology: str) -> str:
    """The slice that is asked for, or the config's own.

    Raises:
        PlanError: if neither names one.
    """
    name = topology or config.mesh.topology
    if not name:
        raise PlanError(
            f"{config.name} names no slice: give --topology or mesh.topology, CHIP:GRID, with a "
            f"chip out of {names()}"
        )
    return name


def make_plan(
    config: configs.Config, name: str, *, searching: bool = False, progress: Any = None
) -> Plan:
    """Compile a config's steps for a slice, or estimate their memory where that cannot be done.

    Args:
        config: the run's.
        name: of the slice.
        searching: also look for the largest micro-batch.
        progress: called with the name of what is compiled next.

    Raises:
        PlanError: if the slice is unknown.
        ConfigError: if the config does not fit the slice's number of devices.
    """
    topology = open_topology(name)
    config, why = resolve_mesh(
        config,
        lambda: shape_and_task(config)[0],
        devices=topology.devices,
        memory=topology.chip.memory,
    )
    run = open_abstract(config, topology.devices)
    steps = _steps(run, topology, progress)
    failing = [step for step in steps if not fits(step, topology)]
    return Plan(
        config=config,
        topology=topology,
        mesh=dict(run.mesh.shape),
        why=why,
        parameters=sum(leaf.size for leaf in memory.leaves(_weights(run))),
        kept={name: memory.per_chip(tree) for name, tree in run.kept.items()},
        arrays=arrays.largest_kept(run.kept, _LISTED),
        steps=steps,
        estimated=not topology.compiles,
        instead=_instead(config, topology, [s.name for s in failing if s.refusal], progress),
        changes=advise(run, failing[0].name, topology.devices) if failing else [],
        found=search(run, topology.chip, topology.devices, progress=progress)
        if searching and topology.compiles
        else [],
    )


def _weights(run: Abstract) -> Any:
    return run.learner.frozen if run.config.lora.rank else run.learner.layout.trained


def _steps(run: Abstract, topology: Topology, progress: Any) -> list[Step]:
    if topology.compiles:
        return compile_steps(run, progress=progress)
    return [Step(name, size, None, [], 0.0) for name, size in estimate(run).items()]


def _instead(
    config: configs.Config, topology: Topology, refused: list[str], progress: Any
) -> list[Step]:
    """What the compiler would have done with more room: it says nothing of what it refuses."""
    other = roomy(len(topology.devices)) if refused else None
    if other is None or other.chip == topology.chip:
        return []
    run = open_abstract(config, other.devices)
    told = None if progress is None else lambda name: progress(f"{name} for {other.name}")
    return compile_steps(run, only=tuple(refused), progress=told)
