"""Operations in matrix products, which TPUs' compiler writes as convolutions."""

import math
import re

from sage_jax.plan.hlo import Computation, Instruction, Shape


def flops(one: Instruction, computation: Computation) -> int:
    """Multiplications and additions of a dot or convolution; 0 for anything else.

    A dot takes 2 · elements of the result · length of the contraction. A convolution takes 2 ·
    pairs of output and window positions that meet an element of the input · features, which is the
    same for the convolutions that stand for batched products (XLA's HloCostAnalysis).
    """
    if one.opcode == "dot":
        return 2 * one.shape.elements * _contracted(one, computation)
    if one.opcode == "convolution":
        left, right = (computation.by_name[name].shape for name in one.operands)
        return _convolution(one, left, right)
    return 0


def _contracted(one: Instruction, computation: Computation) -> int:
    left = computation.by_name[one.operands[0]].shape
    axes = re.findall(r"\d+", one.attribute("lhs_contracting_dims"))
    return math.prod(left.dims[int(axis)] for axis in axes)


def _convolution(one: Instruction, left: Shape, right: Shape) -> int:
    labels, kernel, out = re.split(r"_|->", one.attribute("dim_labels"))
    features = one.shape.dims[out.index("b")] * one.shape.dims[out.index("f")]
    contracted = right.dims[kernel.index("i")]
    pairs = 1
    for axis in range(sum(label.isdigit() for label in labels)):
        sizes = [
            shape.dims[names.index(str(axis))]
            for shape, names in ((left, labels), (right, kernel), (one.shape, out))
        ]
        pairs *= _pairs(*sizes, **_window(one, axis))
    groups = int(one.attribute("batch_group_count") or 1)
    return 2 * features * contracted * pairs // groups


def _window(one: Instruction, axis: int) -> dict[str, int]:
    """Stride, padding and dilations of one spatial axis."""
    text = one.attribute("window").strip("{}")
    fields = dict(part.split("=") for part in text.split() if "=" in part)

    def at(name: str, default: str) -> str:
        return fields[name].split("x")[axis] if name in fields else default

    return {
        "stride": int(at("stride", "1")),
        "padding": int(at("pad", "0_0").split("_")[0]),
        "dilation": int(at("lhs_dilate", "1")),
        "spread": int(at("rhs_dilate", "1")),
    }


def _pairs(
    inputs: int, window: int, outputs: int, *, stride: int, padding: int, dilation: int, spread: int
) -> int:
    """Pairs of an output and a window position under which an element of the input lies."""
    if window == 1 and padding == 0 and dilation == 1:
        return outputs
    count = 0
    for place in range(window):
        first = place * spread - padding
        for index in range(first, first + outputs * stride, stride):
            count += index % dilation == 0 and 0 <= index // dilation < inputs
    return count
