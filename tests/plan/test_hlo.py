"""Reading compiled programs: shapes, layouts, instructions."""

import jax
import jax.numpy as jnp
import pytest

from sage_jax.plan import hlo
from sage_jax.plan.hlo import Shape

# Lines as libtpu's compiler writes them, with tiles, memory spaces and numbered tuples.
TPU = """HloModule jit_f, is_scheduled=true, num_partitions=4

%fused (param_0.1: bf16[8,1024], param_1.2: s32[]) -> bf16[1,1024] {
  %param_0.1 = bf16[8,1024]{1,0:T(8,128)(2,1)} parameter(0)
  %param_1.2 = s32[]{:T(128)} parameter(1)
  ROOT %slice.1 = bf16[1,1024]{1,0:T(8,128)(2,1)S(1)} dynamic-slice(%param_0.1, %param_1.2), \
dynamic_slice_sizes={1,1024}
}

ENTRY %main.5 (a: bf16[8,1024], b: s32[]) -> (bf16[1,1024], s32[]) {
  %a = bf16[8,1024]{1,0:T(8,128)(2,1)} parameter(0)
  %b = s32[]{:T(128)} parameter(1)
  %one = bf16[1,1024]{1,0:T(8,128)(2,1)S(1)} fusion(%a, %b), kind=kLoop, calls=%fused, \
metadata={op_name="jit(f)/while/body/slice"}
  ROOT %out = (bf16[1,1024]{1,0:T(8,128)(2,1)}, /*index=1*/s32[]{:T(128)}) tuple(%one, %b)
}
"""


def test_instructions_have_names_operands_and_calls():
    module = hlo.parse(TPU)
    assert (module.entry, module.partitions) == ("main.5", 4)
    entry = module.computations["main.5"]
    one = entry.by_name["one"]
    assert (one.opcode, one.operands, one.called) == ("fusion", ("a", "b"), ("fused",))
    assert one.origin == "jit(f)/while/body/slice"
    assert not one.shape.in_memory
    assert [str(shape) for shape in entry.root.shapes] == ["bf16[1,1024]", "s32[]"]
    assert [user.name for user in entry.users("b")] == ["one", "out"]
    assert module.computations["fused"].root.attribute("dynamic_slice_sizes") == "{1,1024}"


@pytest.mark.parametrize(
    ("shape", "size", "padded"),
    [
        (Shape("f32", (28, 100, 8), "2,1,0:T(8,128)"), 89600, 28 * 104 * 128 * 4),
        (Shape("f32", (28, 100, 8), "1,2,0:T(8,128)"), 89600, 28 * 128 * 8 * 4),
        (Shape("bf16", (3, 200), "1,0:T(8,128)(2,1)"), 1200, 8 * 256 * 2),
        (Shape("pred", (5,), "0:T(512)"), 5, 512),
        (Shape("s32", (), ":T(128)"), 4, 4),
        (Shape("f32", (3, 5), "1,0"), 60, 60),
    ],
)
def test_tiles_pad_the_minor_axes(shape, size, padded):
    assert (shape.size, shape.padded) == (size, padded)


def test_scratchpads_are_not_memory():
    assert Shape("f32", (4,), "0:T(128)S(0)").in_memory
    assert not Shape("f32", (4,), "0:T(128)S(1)").in_memory
    assert not Shape("s32", (2,), "0:S(4)").in_memory


def test_every_instruction_of_a_compiled_program_is_read():
    compiled = jax.jit(lambda x: jnp.sort(x @ x.T).sum()).lower(jnp.ones((8, 4))).compile()
    text = compiled.as_text() or ""
    module = hlo.parse(text)
    lines = [line for line in text.splitlines() if line.startswith("  ") and " = " in line]
    assert sum(len(one.instructions) for one in module.computations.values()) == len(lines)


def test_other_text_is_refused():
    with pytest.raises(ValueError, match="no ENTRY"):
        hlo.parse("module @jit_f {}")
