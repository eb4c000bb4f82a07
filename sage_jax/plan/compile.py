"""Compiling the steps ahead of time and reading what came of it."""

import dataclasses
import re
import time
from typing import Any

import jax

from sage_jax.plan import hlo, memory
from sage_jax.plan.abstract import Abstract, Program, programs
from sage_jax.plan.arrays import Array, largest_alive
from sage_jax.plan.cost import Cost, Costs, count
from sage_jax.plan.memory import Memory

_LISTED = 6  # Largest arrays kept of each step.


@dataclasses.dataclass(frozen=True)
class Step:
    """One compiled step.

    Attributes:
        name: "rollout", "logprobs" or "update".
        memory: bytes per chip, None where the compiler refused.
        costs: work per chip, None where the compiler refused.
        arrays: the largest intermediate results that are alive at the peak.
        seconds: of tracing and compiling.
        cpu_seconds: the same, summed over cores: what it takes on a machine busy with other work.
        refusal: why the compiler refused, in its own words; "" if it did not.
    """

    name: str
    memory: Memory | None
    costs: Costs | None
    arrays: list[Array]
    seconds: float
    cpu_seconds: float = 0.0
    refusal: str = ""

    @property
    def work(self) -> list[tuple[str, Cost]]:
        """Costs with a name, that of a rollout in two; empty where the compiler refused."""
        if self.costs is None:
            return []
        if not self.costs.bound:
            return [(self.name, self.costs.whole)]
        if self.name != "rollout":
            return [(f"{self.name}, {self.costs.bound:,} passes", self.costs.whole)]
        return [
            (f"{self.name}: prefill", self.costs.fixed),
            (f"{self.name}: decode, {self.costs.bound:,} tokens", self.costs.open),
        ]


def compile_steps(run: Abstract, *, only: tuple[str, ...] = (), progress: Any = None) -> list[Step]:
    """Compile the run's steps one after the other.

    Args:
        run: what to compile.
        only: names of steps, all if empty.
        progress: called with a step's name before it is compiled.
    """
    steps, compiled = [], {}
    for name, make in programs(run):
        if only and name not in only:
            continue
        if progress is not None:
            progress(name)
        step, compiled[name] = _compile(make(compiled), run)
        steps.append(step)
    return steps


def _compile(program: Program, run: Abstract) -> tuple[Step, Any]:
    begun, cpu = time.perf_counter(), time.process_time()
    try:
        compiled = program.function.lower(*program.arguments).compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        spent = time.perf_counter() - begun, time.process_time() - cpu
        return Step(program.name, None, None, [], *spent, _refusal(str(error))), None
    spent = time.perf_counter() - begun, time.process_time() - cpu
    module = hlo.parse(compiled.as_text())
    used = memory.of_compiled(compiled, run.mesh.devices.flat[0].platform)
    used = dataclasses.replace(used, beside=_beside(run, program, used))
    # Decoding ends when all rows are done, at the latest here; the first token is the prefill's.
    # Of several loops each is taken to run equally long.
    decoding: Any = run.decoding()
    loops = 1 + decoding.compactions + decoding.cache_doublings
    columns = run.config.rollout.max_completion_length - 1
    runs = columns // loops if program.name == "rollout" else run.most_passes()
    costs = count(module, unknown=max(runs, 1))
    return Step(program.name, used, costs, largest_alive(module, _LISTED), *spent), compiled


def _beside(run: Abstract, program: Program, used: Memory) -> int:
    """What the run keeps on the chip and this step is not given.

    A compiled step drops arguments that it does not read, so their sum tells which are left.
    """
    kept = memory.per_chip(run.kept)
    given = used.arguments - memory.per_chip(program.batch)
    return max(kept - max(given, 0), 0)


def _refusal(message: str) -> str:
    """The first sentence of an out-of-memory error, without its code."""
    line = message.strip().splitlines()[0]
    return re.sub(r"^RESOURCE_EXHAUSTED: ", "", line)
