"""Reading the text of a compiled XLA program: computations, instructions, shapes."""

import dataclasses
import functools
import math
import re

_BITS = {
    "pred": 8, "s2": 2, "u2": 2, "s4": 4, "u4": 4, "s8": 8, "u8": 8, "s16": 16, "u16": 16,
    "s32": 32, "u32": 32, "s64": 64, "u64": 64, "bf16": 16, "f16": 16, "f32": 32, "f64": 64,
    "c64": 64, "c128": 128, "f8e4m3fn": 8, "f8e5m2": 8, "f8e4m3": 8, "token": 0, "opaque": 0,
}  # fmt: skip
_SHAPE = re.compile(r"(\w+)\[([\d,<=]*)\](?:\{([^{}]*)\})?")
_NAME = re.compile(r"%([\w.\-]+)")
_HEADER = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_OPCODE = re.compile(r" ([a-z][\w\-]*)\(")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition|called_computations)=\{?%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}|(?:true|false)_computation=%?([\w.\-]+)")


@dataclasses.dataclass(frozen=True)
class Shape:
    """An array as the compiler lays it out.

    Attributes:
        dtype: XLA's name, e.g. "bf16".
        dims: sizes.
        layout: what stands in braces, e.g. "1,0:T(8,128)(2,1)S(1)".
    """

    dtype: str
    dims: tuple[int, ...]
    layout: str = ""

    @functools.cached_property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.dims)

    @functools.cached_property
    def size(self) -> int:
        """Bytes without padding."""
        return self.elements * _BITS.get(self.dtype, 32) // 8

    @functools.cached_property
    def padded(self) -> int:
        """Bytes with the padding of TPU tiles.

        The most minor axes are rounded up to the first tile: f32[28,100,8] of layout
        {2,1,0:T(8,128)} takes the room of [28, 104, 128].
        """
        tile = re.search(r"T\(([\d,]+)\)", self.layout)
        if not tile or not self.dims:
            return self.size
        dims = list(self.dims)
        minor = [int(axis) for axis in self.layout.split(":")[0].split(",") if axis]
        sizes = [int(size) for size in tile[1].split(",")]
        for axis, size in zip(minor, reversed(sizes), strict=False):
            dims[axis] = -(-dims[axis] // size) * size
        return math.prod(dims) * _BITS.get(self.dtype, 32) // 8

    @property
    def in_memory(self) -> bool:
        """Whether it lies in the chip's main memory, not in a scratchpad (S(1) and further)."""
        space = re.search(r"S\((\d+)\)", self.layout)
        return space is None or space[1] == "0"

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.dims))}]"


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
        name: without the percent sign.
        opcode: e.g. "fusion".
        shapes: of the result; several for a tuple.
        operands: names.
        attributes: the text behind the operands.
        root: whether it is the computation's result.
        literal: what stands in the parentheses.
    """

    name: str
    opcode: str
    shapes: tuple[Shape, ...]
    operands: tuple[str, ...]
    attributes: str
    root: bool
    literal: str

    @property
    def shape(self) -> Shape:
        """The result's shape, the first of a tuple."""
        return self.shapes[0]

    @property
    def results(self) -> tuple[Shape, ...]:
        """What it makes: of the start of an asynchronous operation, which also names what it reads.

        A copy starts as (result, operand, ...), anything else as (operand, result, ...).
        """
        if not self.opcode.endswith("-start") or len(self.shapes) < 2:
            return self.shapes
        return self.shapes[:1] if self.opcode == "copy-start" else self.shapes[1:2]

    @functools.cached_property
    def called(self) -> tuple[str, ...]:
        """Computations that it runs, except a conditional's branches."""
        return tuple(_CALLED.findall(self.attributes))

    @functools.cached_property
    def branches(self) -> tuple[str, ...]:
        """A conditional's branches."""
        names = []
        for many, one in _BRANCHES.findall(self.attributes):
            names += re.findall(r"[\w.\-]+", many) if many else [one]
        return tuple(names)

    def attribute(self, name: str) -> str:
        """The value of `name=...` up to the next comma outside of braces, or ""."""
        found = re.search(rf"\b{name}=(\{{\{{.*?\}}\}}|\{{[^}}]*\}}|[^,\s]+)", self.attributes)
        return found[1] if found else ""

    @functools.cached_property
    def origin(self) -> str:
        """The program's own name for what it computes, e.g. "jit(score)/dot_general"."""
        found = re.search(r'op_name="([^"]*)"', self.attributes)
        return found[1] if found else ""


@dataclasses.dataclass(frozen=True)
class Computation:
    """Instructions in the order they run."""

    name: str
    instructions: tuple[Instruction, ...]

    @functools.cached_property
    def by_name(self) -> dict[str, Instruction]:
        """Instructions by name."""
        return {one.name: one for one in self.instructions}

    @functools.cached_property
    def root(self) -> Instruction:
        """What gives the result."""
        return next((one for one in self.instructions if one.root), self.instructions[-1])

    @functools.cached_property
    def parameters(self) -> dict[int, Instruction]:
        """Parameters by number."""
        return {int(one.literal): one for one in self.instructions if one.opcode == "parameter"}

    def users(self, name: str) -> list[Instruction]:
        """Instructions that read `name`."""
        return self._users.get(name, [])

    @functools.cached_property
    def _users(self) -> dict[str, list[Instruction]]:
        users: dict[str, list[Instruction]] = {}
        for one in self.instructions:
            for operand in set(one.operands):
                users.setdefault(operand, []).append(one)
        return users


@dataclasses.dataclass(frozen=True)
class Module:
    """A compiled program.

    Attributes:
        computations: by name.
        entry: name of the first one.
        partitions: devices that run it together.
    """

    computations: dict[str, Computation]
    entry: str
    partitions: int


def parse(text: str) -> Module:
    """Read what `compiled.as_text()` gives.

    Raises:
        ValueError: if there is no entry computation.
    """
    computations: dict[str, Computation] = {}
    entry, name, lines = "", "", []
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header:
            name, lines = header[2], []
            entry = name if header[1] else entry
        elif line == "}":
            computations[name] = Computation(name, tuple(map(_instruction, lines)))
        elif name and " = " in line:
            lines.append(line)
    if not entry:
        raise ValueError("this is not the text of an HLO module: there is no ENTRY")
    count = re.search(r"(?:num_partitions|replica_count)=(\d+)", text.split("\n", 1)[0])
    return Module(computations, entry, int(count[1]) if count else 1)


def _instruction(line: str) -> Instruction:
    left, right = line.split(" = ", 1)
    # Tuples carry numbers of elements as comments.
    right = " " + re.sub(r"/\*.*?\*/", "", right)
    found = _OPCODE.search(right)
    if not found:
        raise ValueError(f"not an HLO instruction: {line[:200]}")
    end = _closing(right, found.end() - 1)
    inside = right[found.end() : end]
    return Instruction(
        name=left.split("%")[-1].strip().removeprefix("ROOT "),
        opcode=found[1],
        shapes=_shapes(right[: found.start()]),
        operands=tuple(_NAME.findall(inside)),
        attributes=right[end + 1 :],
        root=left.lstrip().startswith("ROOT"),
        literal=inside,
    )


def _closing(text: str, start: int) -> int:
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0:
            return place
    return len(text)


def _shapes(text: str) -> tuple[Shape, ...]:
    shapes = tuple(
        Shape(dtype, tuple(int(d.lstrip("<=")) for d in dims.split(",") if d), layout)
        for dtype, dims, layout in _SHAPE.findall(text)
    )
    return shapes or (Shape("token", ()),)
