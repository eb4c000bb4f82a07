"""FLOPs and collective bytes of programs whose figures are known exactly."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sage_jax.plan import cost, hlo

DEVICES = 8


def costs(function, *arguments):
    compiled = jax.jit(function).lower(*arguments).compile()
    return cost.count(hlo.parse(compiled.as_text() or ""))


def ones(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


@pytest.fixture
def mesh():
    return Mesh(np.array(jax.devices()[:DEVICES]), ("x",))


def rows(mesh, *shape):
    sharding = NamedSharding(mesh, PartitionSpec("x"))
    return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=sharding)


def mapped(function, mesh, out):
    spec = PartitionSpec("x")
    return jax.shard_map(function, mesh=mesh, in_specs=spec, out_specs=out, check_vma=False)


class TestFlops:
    def test_one_product(self):
        assert costs(jnp.matmul, ones(7, 11), ones(11, 13)).whole.flops == 2 * 7 * 11 * 13

    def test_batched_products(self):
        found = costs(lambda a, b: jnp.einsum("bij,bjk->bik", a, b), ones(3, 7, 11), ones(3, 11, 5))
        assert found.whole.flops == 2 * 3 * 7 * 11 * 5

    def test_a_scan_counts_each_of_its_steps(self):
        def run(x, w):
            return jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, w)[0]

        found = costs(run, ones(4, 32), ones(9, 32, 32))
        assert found.whole.flops == 9 * 2 * 4 * 32 * 32
        assert found.bound == 0

    def test_scans_inside_scans_multiply(self):
        def inner(x, w):
            return jax.lax.scan(lambda x, _: (jnp.tanh(x @ w), None), x, None, length=5)[0]

        def run(x, w):
            return jax.lax.scan(lambda x, w: (inner(x, w), None), x, w)[0]

        assert costs(run, ones(4, 16), ones(3, 16, 16)).whole.flops == 3 * 5 * 2 * 4 * 16 * 16

    def test_a_gradient_takes_three_times_the_products(self):
        def run(x, w):
            step = lambda x, w: (jnp.tanh(x @ w), None)  # noqa: E731
            return jnp.sum(jax.lax.scan(step, x, w)[0])

        found = costs(jax.grad(run, argnums=(0, 1)), ones(4, 16), ones(6, 16, 16))
        assert found.whole.flops == 3 * 6 * 2 * 4 * 16 * 16

    def test_a_loop_that_may_end_early_runs_to_its_bound(self):
        def run(x, w):
            def unfinished(carry):
                return (carry[1] < 21) & ~jnp.all(carry[0] > 1e9)

            def body(carry):
                return jnp.tanh(carry[0] @ w), carry[1] + 1

            return jax.lax.while_loop(unfinished, body, (x @ w, jnp.int32(1)))[0]

        found = costs(run, ones(4, 16), ones(16, 16))
        once = 2 * 4 * 16 * 16
        assert (found.fixed.flops, found.bound) == (once, 20)
        assert found.open.flops == 20 * once

    def test_a_loop_that_does_not_say_how_often_it_runs_takes_the_callers_word(self):
        def run(x, w):
            body = lambda x: jnp.tanh(x @ w)  # noqa: E731
            return jax.lax.while_loop(lambda x: jnp.any(x > 0.5), body, x)

        compiled = jax.jit(run).lower(ones(4, 16), ones(16, 16)).compile()
        found = cost.count(hlo.parse(compiled.as_text() or ""), unknown=9)
        assert (found.open.flops, found.bound) == (9 * 2 * 4 * 16 * 16, 9)

    def test_the_longest_branch_counts(self):
        def run(flag, x):
            return jax.lax.cond(flag, lambda x: jnp.tanh(x @ x) @ x, lambda x: x, x)

        found = costs(run, jax.ShapeDtypeStruct((), jnp.bool_), ones(16, 16))
        assert found.whole.flops == 2 * 2 * 16**3


class TestCollectives:
    size = 64 * 32 * 4  # Bytes of a shard of [512, 32].

    def sent(self, function, mesh, out, *shape):
        return costs(mapped(function, mesh, out), rows(mesh, *(shape or (512, 32)))).whole

    def test_all_reduce(self, mesh):
        found = self.sent(lambda x: jax.lax.psum(x, "x"), mesh, PartitionSpec())
        assert found.sent == {"all-reduce": 2 * self.size * 7 // 8}
        assert found.calls == {"all-reduce": 1}

    def test_all_gather(self, mesh):
        gather = functools.partial(jax.lax.all_gather, axis_name="x", tiled=True)
        assert self.sent(gather, mesh, PartitionSpec()).sent == {"all-gather": 7 * self.size}

    def test_reduce_scatter(self, mesh):
        scatter = functools.partial(jax.lax.psum_scatter, axis_name="x", tiled=True)
        found = self.sent(scatter, mesh, PartitionSpec("x"))
        assert found.sent == {"reduce-scatter": self.size * 7 // 8}

    def test_all_to_all(self, mesh):
        def swap(x):
            return jax.lax.all_to_all(x, "x", split_axis=1, concat_axis=0, tiled=True)

        found = self.sent(swap, mesh, PartitionSpec("x"))
        assert found.sent == {"all-to-all": self.size * 7 // 8}

    def test_permute(self, mesh):
        def shift(x):
            return jax.lax.ppermute(x, "x", [(i, (i + 1) % DEVICES) for i in range(DEVICES)])

        found = self.sent(shift, mesh, PartitionSpec("x"))
        assert found.sent == {"collective-permute": self.size}

    def test_collectives_in_loops_count_each_time(self, mesh):
        def run(x):
            step = lambda x, _: (jnp.tanh(jax.lax.psum(x, "x")), None)  # noqa: E731
            return jax.lax.scan(step, x, None, length=6)[0]

        found = self.sent(run, mesh, PartitionSpec("x"))
        assert found.sent == {"all-reduce": 6 * (2 * self.size * 7 // 8)}
        assert found.calls == {"all-reduce": 6}

    def test_groups_are_those_of_the_axis(self):
        devices = np.array(jax.devices()[:DEVICES]).reshape(4, 2)
        mesh = Mesh(devices, ("x", "y"))
        run = jax.shard_map(
            lambda x: jax.lax.psum(x, "y"), mesh=mesh, in_specs=PartitionSpec("x", "y"),
            out_specs=PartitionSpec("x"),
        )  # fmt: skip
        sharding = NamedSharding(mesh, PartitionSpec("x", "y"))
        found = costs(run, jax.ShapeDtypeStruct((16, 16), jnp.float32, sharding=sharding)).whole
        assert found.sent == {"all-reduce": 2 * (4 * 8 * 4) // 2}


# What only libtpu's compiler writes.
HEADER = "HloModule jit_f, is_scheduled=true, num_partitions=16\n\n"
BATCHED = """ENTRY %main (a: bf16[4,3584,128], b: bf16[4,2048,128]) -> f32[4,3584,2048] {
  %a = bf16[4,3584,128]{2,1,0} parameter(0)
  %b = bf16[4,2048,128]{2,1,0} parameter(1)
  ROOT %c = f32[4,3584,2048]{2,1,0} convolution(%a, %b), \
window={size=4 stride=3 lhs_dilate=4}, dim_labels=0bf_0oi->0bf
}
"""
PADDED = """ENTRY %main (a: bf16[8,3584,1], b: bf16[28,128,3584]) -> bf16[8,28,128] {
  %a = bf16[8,3584,1]{2,1,0} parameter(0)
  %b = bf16[28,128,3584]{2,1,0} parameter(1)
  ROOT %c = bf16[8,28,128]{2,1,0} convolution(%a, %b), \
window={size=28 pad=27_27 rhs_reversal=1}, dim_labels=bf0_0oi->b0f
}
"""
# A gather that is driven on by every run of a loop between its start and its end.
GATHER = """all-gather(%p), channel_id=7, replica_groups=mesh['axis_0'=2,'axis_1'=8] {'axis_1'}, \
dimensions={1}, backend_config={"flag_configs":[],"async_collective_fusion_config":"""
ASYNC = f"""%start (p: bf16[512,64]) -> bf16[512,1024] {{
  %p = bf16[512,64]{{1,0}} parameter(0)
  ROOT %g = bf16[512,1024]{{1,0}} {GATHER}{{"flag_start":"-1","flag_end":"-1"}}}}
}}

%on (p: bf16[512,64]) -> bf16[512,1024] {{
  %p = bf16[512,64]{{1,0}} parameter(0)
  ROOT %g = bf16[512,1024]{{1,0}} {GATHER}{{"flag_start":"2","flag_end":"8"}}}}
}}

%all-reduce-scatter.1 (p.2: bf16[512,64]) -> bf16[32,64] {{
  %p.2 = bf16[512,64]{{1,0}} parameter(0)
  ROOT %all-reduce.1 = bf16[512,64]{{1,0}} all-reduce(%p.2), channel_id=8, \
replica_groups=[1,16]<=[16], to_apply=%add
}}

%cond (s: bf16[512,64]) -> pred[] {{
  %s = bf16[512,64]{{1,0}} parameter(0)
  ROOT %true = pred[] constant(true)
}}

%body (t: bf16[512,64]) -> bf16[512,64] {{
  %t = bf16[512,64]{{1,0}} parameter(0)
  %f = bf16[512,1024]{{1,0}} fusion(%t), kind=kCustom, calls=%on
  ROOT %u = bf16[512,64]{{1,0}} copy(%t)
}}

ENTRY %main (a: bf16[512,64]) -> bf16[512,1024] {{
  %a = bf16[512,64]{{1,0}} parameter(0)
  %f.1 = bf16[512,1024]{{1,0}} fusion(%a), kind=kCustom, calls=%start
  %f.2 = bf16[32,64]{{1,0}} fusion(%a), kind=kCustom, calls=%all-reduce-scatter.1
  %permute-start = (bf16[512,64]{{1,0}}, bf16[512,64]{{1,0}}) collective-permute-start(%a), \
channel_id=1, source_target_pairs={{{{0,1}},{{1,0}}}}
  %permute-done = bf16[512,64]{{1,0}} collective-permute-done(%permute-start)
  %w = bf16[512,64]{{1,0}} while(%a), condition=%cond, body=%body, \
backend_config={{"known_trip_count":{{"n":"12"}}}}
  ROOT %f.3 = bf16[512,1024]{{1,0}} fusion(%a), kind=kCustom, calls=%on
}}
"""
LOOP = """%cond (s: (s32[], f32[8,8])) -> pred[] {
  %s = (s32[], f32[8,8]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%s), index=0
  %n = s32[] constant(12)
  ROOT %lt = pred[] compare(%i, %n), direction=LT
}

%body (t: (s32[], f32[8,8])) -> (s32[], f32[8,8]) {
  %t = (s32[], f32[8,8]{1,0}) parameter(0)
  %j = s32[] get-tuple-element(%t), index=0
  %x = f32[8,8]{1,0} get-tuple-element(%t), index=1
  %dot = f32[8,8]{1,0} dot(%x, %x), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  %step = s32[] constant(STEP)
  %k = s32[] add(%j, %step)
  ROOT %u = (s32[], f32[8,8]{1,0}) tuple(%k, %dot)
}

ENTRY %main (a: f32[8,8]) -> (s32[], f32[8,8]) {
  %a = f32[8,8]{1,0} parameter(0)
  %zero = s32[] constant(0)
  %both = (s32[], f32[8,8]{1,0}) tuple(%zero, %a)
  ROOT %while = (s32[], f32[8,8]{1,0}) while(%both), condition=%cond, body=%body
}
"""


def text_cost(text):
    return cost.count(hlo.parse(HEADER + text)).whole


def test_a_batched_product_written_as_a_convolution():
    assert text_cost(BATCHED).flops == 2 * 4 * 3584 * 128 * 2048


def test_a_per_head_product_written_as_a_padded_convolution():
    # Of the 28 x 28 pairs of output and window only those over the one unpadded input multiply.
    assert text_cost(PADDED).flops == 2 * 8 * 3584 * 28 * 128


def test_an_asynchronous_collective_counts_as_often_as_it_starts():
    piece, found = 512 * 64 * 2, text_cost(ASYNC)
    assert found.calls == {"all-gather": 1, "collective-permute": 1, "reduce-scatter": 1}
    assert found.sent == {
        "all-gather": 7 * piece,
        "collective-permute": piece,
        "reduce-scatter": piece * 15 // 16,
    }


@pytest.mark.parametrize(("step", "runs"), [(1, 12), (2, 6), (5, 3)])
def test_a_loop_without_a_known_count_is_read_from_its_counter(step, runs):
    """The loop of a product cut up to overlap with its collective is doubled by the compiler."""
    assert text_cost(LOOP.replace("STEP", str(step))).flops == runs * 2 * 8**3


def test_moved_bytes_of_a_product():
    found = costs(jnp.matmul, ones(64, 32), ones(32, 16)).whole
    assert found.moved == 4 * (64 * 32 + 32 * 16 + 64 * 16)


def test_a_sliced_operand_counts_by_its_slices():
    def run(x, w):
        return jax.lax.scan(lambda x, w: (x + w, None), x, w)[0]

    found = costs(run, ones(64, 64), ones(10, 64, 64)).whole
    each = 64 * 64 * 4
    # Ten sums of two arrays, and what loops copy; a slice read whole would give 13 * 10.
    assert 30 * each <= found.moved <= 45 * each
