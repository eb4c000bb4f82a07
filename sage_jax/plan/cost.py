"""What one run of a compiled program costs a chip, loops counted as often as they run."""

import collections
import dataclasses

from sage_jax.plan import collectives, matmul, traffic
from sage_jax.plan.hlo import Computation, Instruction, Module
from sage_jax.plan.loops import Trips, trips


@dataclasses.dataclass(frozen=True)
class Cost:
    """Work of one chip.

    Attributes:
        flops: multiplications and additions in matrix products.
        moved: bytes between memory and compute.
        sent: bytes sent to other chips, by kind of collective.
        calls: collectives run, by kind.
    """

    flops: int = 0
    moved: int = 0
    sent: dict[str, int] = dataclasses.field(default_factory=dict)
    calls: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def sent_in_all(self) -> int:
        """Bytes sent in all collectives."""
        return sum(self.sent.values())

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.flops + other.flops,
            self.moved + other.moved,
            _merged(self.sent, other.sent),
            _merged(self.calls, other.calls),
        )


def _merged(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {kind: one.get(kind, 0) + other.get(kind, 0) for kind in sorted({**one, **other})}


@dataclasses.dataclass(frozen=True)
class Costs:
    """Cost of a program, inside and outside of loops whose end depends on the data.

    Attributes:
        fixed: outside of them; of a rollout, the prefill.
        open: inside of them, run to their bound; of a rollout, decoding.
        bound: the largest number of runs of such a loop; 0 if there is none.
    """

    fixed: Cost
    open: Cost
    bound: int

    @property
    def whole(self) -> Cost:
        """All of it."""
        return self.fixed + self.open


def count(module: Module, *, unknown: int = 1) -> Costs:
    """Walk through a program from its entry, each loop's body as often as it runs.

    Args:
        module: the program.
        unknown: runs of a loop whose program does not say how often it runs.
    """
    walk = _Walk(module, unknown)
    walk.visit(module.computations[module.entry], 1, None)
    return walk.result()


class _Walk:
    """Sums by whether a data-dependent loop surrounds what is counted."""

    def __init__(self, module: Module, unknown: int):
        self.module, self.unknown = module, unknown
        self.flops, self.moved = collections.Counter(), collections.Counter()
        self.bound = 0
        self.sent, self.calls = collections.Counter(), collections.Counter()

    def result(self) -> Costs:
        fixed, inside = (
            Cost(
                self.flops[is_open],
                self.moved[is_open],
                _of(self.sent, is_open),
                _of(self.calls, is_open),
            )
            for is_open in (False, True)
        )
        return Costs(fixed, inside, self.bound)

    def visit(
        self, home: Computation, runs: int, open_runs: int | None, *, fused: bool = False
    ) -> None:
        """Count a computation that runs `runs` times; `open_runs` is set inside an open loop."""
        is_open = open_runs is not None
        for one in home.instructions:
            self.flops[is_open] += runs * matmul.flops(one, home)
            if not fused:
                self.moved[is_open] += runs * traffic.moved(one, home, self.module)
            self._collective(one, home, runs, is_open)
            self._into(one, home, runs, open_runs, fused)

    def _collective(self, one: Instruction, home: Computation, runs: int, is_open: bool) -> None:
        kind = collectives.kind_of(one, home)
        if kind is None:
            return
        self.sent[is_open, kind] += runs * collectives.sent(one, kind, home, self.module)
        self.calls[is_open, kind] += runs

    def _into(
        self, one: Instruction, home: Computation, runs: int, open_runs: int | None, fused: bool
    ) -> None:
        """Count what an instruction calls."""
        computations = self.module.computations
        if one.opcode == "while":
            loop: Trips = trips(one, home, self.module, unknown=self.unknown)
            if not loop.exact:
                self.bound, open_runs = max(self.bound, loop.count), loop.count
            for part in ("condition", "body"):
                name = one.attribute(part).lstrip("%")
                self.visit(computations[name], runs * loop.count, open_runs)
        elif one.opcode == "fusion":
            self.visit(computations[one.called[0]], runs, open_runs, fused=True)
        elif one.opcode in ("call", "async-start", "custom-call"):
            for name in one.called:
                self.visit(computations[name], runs, open_runs, fused=fused)
        elif one.opcode == "conditional":
            # One branch runs; the largest stands for it.
            best = max(one.branches, key=lambda name: len(computations[name].instructions))
            self.visit(computations[best], runs, open_runs, fused=fused)


def _of(counter: collections.Counter[tuple[bool, str]], is_open: bool) -> dict[str, int]:
    """What stands under `is_open`, by kind."""
    return {kind: count for (where, kind), count in sorted(counter.items()) if where == is_open}
