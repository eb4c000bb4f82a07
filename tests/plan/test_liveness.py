"""Which arrays are alive at the peak, on programs whose peak is known."""

import jax
import jax.numpy as jnp
import pytest

from sage_jax.plan import hlo
from sage_jax.plan.arrays import largest_alive
from sage_jax.plan.liveness import at_peak

HEADER = "HloModule jit_f, is_scheduled=true, num_partitions=1\n\n"
# a -> b, c -> d: b and c are alive together; the loop works in place on c and needs one array more.
PROGRAM = """%cond (s: (s32[], f32[1024])) -> pred[] {
  %s = (s32[], f32[1024]{0}) parameter(0)
  %i = s32[] get-tuple-element(%s), index=0
  %n = s32[] constant(3)
  ROOT %lt = pred[] compare(%i, %n), direction=LT
}

%body (t: (s32[], f32[1024])) -> (s32[], f32[1024]) {
  %t = (s32[], f32[1024]{0}) parameter(0)
  %j = s32[] get-tuple-element(%t), index=0
  %x = f32[1024]{0} get-tuple-element(%t), index=1
  %inner = f32[4096]{0} custom-call(%x), custom_call_target="widen"
  %y = f32[1024]{0} custom-call(%inner), custom_call_target="narrow"
  ROOT %u = (s32[], f32[1024]{0}) tuple(%j, %y)
}

ENTRY %main (a: f32[1024]) -> f32[1024] {
  %a = f32[1024]{0} parameter(0)
  %b = f32[2048]{0} custom-call(%a), custom_call_target="one"
  %c = f32[1024]{0} custom-call(%b), custom_call_target="two"
  %scratch = f32[8192]{0:S(1)} custom-call(%c), custom_call_target="near"
  %zero = s32[] constant(0)
  %both = (s32[], f32[1024]{0}) tuple(%zero, %c)
  %while = (s32[], f32[1024]{0}) while(%both), condition=%cond, body=%body
  %d = f32[1024]{0} get-tuple-element(%while), index=1
  ROOT %e = f32[1024]{0} custom-call(%d), custom_call_target="three"
}
"""


def test_loops_add_to_what_surrounds_them():
    alive = at_peak(hlo.parse(HEADER + PROGRAM))
    assert sorted(buffer.origin.name for buffer in alive.buffers) == ["c", "inner"]
    assert alive.size == 4 * (1024 + 4096)


def test_equal_arrays_are_listed_together():
    found = largest_alive(hlo.parse(HEADER + PROGRAM), 1)
    assert [(array.shape, array.count) for array in found] == [("f32[4096]", 1)]


def test_near_what_the_compiler_says():
    def run(x, w):
        def step(x, w):
            return jnp.sort(jnp.tanh(x @ w), axis=-1), None

        x, _ = jax.lax.scan(step, x, w)
        return jnp.sum(x), x

    shapes = (jax.ShapeDtypeStruct((512, 256), jnp.float32),
              jax.ShapeDtypeStruct((6, 256, 256), jnp.float32))  # fmt: skip
    compiled = jax.jit(jax.grad(run, argnums=1, has_aux=True)).lower(*shapes).compile()
    stats = compiled.memory_analysis()
    assert stats is not None
    found = at_peak(hlo.parse(compiled.as_text() or ""))
    new = stats.temp_size_in_bytes + stats.output_size_in_bytes
    assert found.size == pytest.approx(new, rel=0.35)
