"""Weights kept in bfloat16 are trained as in float32: by masters in the optimiser's state."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sage_jax import setup
from sage_jax.learn import masters
from sage_jax.learn.optimizer import make_optimizer
from sage_jax.learn.state import TrainState
from sage_jax.learn.update import changes
from sage_jax.losses import reduce
from sage_jax.run import commands
from sage_jax.run.checkpoint import Checkpoints

BF16 = {"model": {"param_dtype": "bfloat16"}}


def narrow_weights():
    draw = np.random.default_rng(0)
    shapes = {"kernel": (3, 16, 24), "scale": (3, 16), "embed_tokens": (40, 16)}
    return {name: jnp.asarray(draw.normal(size=s), jnp.bfloat16) for name, s in shapes.items()}


def gradients(like, step):
    draw = np.random.default_rng(step)
    return jax.tree.map(lambda x: jnp.asarray(draw.normal(size=x.shape), jnp.float32), like)


def optimizer(dtype):
    return make_optimizer(5e-6, weight_decay=0.1, dtype=dtype)


def trained(start, optimizer, steps=20):
    state = TrainState.create(start, optimizer)
    apply = jax.jit(lambda state, grads: state.apply(grads, optimizer))
    for step in range(steps):
        state = apply(state, gradients(start, step))
    return state


def share(left, right):
    """Of numbers that differ."""
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    moved = [np.asarray(a, np.float32) != np.asarray(b, np.float32) for a, b in pairs]
    return np.concatenate([m.ravel() for m in moved]).mean()


class TestMasters:
    def test_are_the_weights_of_a_float32_run(self):
        start = narrow_weights()
        narrow = trained(start, optimizer("bfloat16"))
        wide = trained(masters.widened(start), optimizer("float32"))
        jax.tree.map(np.testing.assert_array_equal, narrow.precise, wide.trained)
        jax.tree.map(np.testing.assert_array_equal, narrow.opt_state.inner, wide.opt_state)
        assert share(start, narrow.precise) > 0.99

    def test_round_to_the_params(self):
        start = narrow_weights()
        state = trained(start, optimizer("bfloat16"))
        for master, param in zip(
            *map(jax.tree.leaves, (state.precise, state.trained)), strict=True
        ):
            assert param.dtype == jnp.bfloat16
            np.testing.assert_array_equal(param, np.asarray(master).astype(param.dtype))

    def test_keep_what_bfloat16_alone_would_lose(self):
        start = narrow_weights()

        def moved(dtype):  # By an update that always goes the same way.
            adam, state = optimizer(dtype), TrainState.create(start, optimizer(dtype))
            for _ in range(20):
                state = state.apply(gradients(start, 0), adam)
            return share(start, state.trained)

        assert moved("float32") < 0.01
        assert moved("bfloat16") > 5 * moved("float32")

    def test_a_weight_that_vanishes_is_rounded_too(self):
        """1 to 2^-20: no float32 difference leads there, as `apply_updates` would need."""
        start = {"w": jnp.ones(1, jnp.bfloat16)}
        state = TrainState.create(start, masters.float32_masters(optax.sgd(1.0)))
        target = np.float32(2**-20 * 1.1)
        for size in (1 - 2**-12, 2**-12 - target):
            state = state.apply({"w": jnp.full(1, size, jnp.float32)},
                                masters.float32_masters(optax.sgd(1.0)))  # fmt: skip
        np.testing.assert_array_equal(
            state.trained["w"], np.asarray(state.precise["w"]).astype(jnp.bfloat16)
        )

    def test_compose_as_any_optax_transformation(self):
        start, plain = narrow_weights(), masters.float32_masters(optax.sgd(1e-3))
        state = plain.init(start)
        updates, state = plain.update(gradients(start, 0), state, start)
        with jax.numpy_dtype_promotion("standard"):
            moved = optax.apply_updates(start, updates)
        jax.tree.map(np.testing.assert_array_equal, moved, masters.settle(moved, state))
        with pytest.raises(ValueError, match="params"):
            plain.update(gradients(start, 0), state)

    def test_wide_weights_have_none(self):
        start = masters.widened(narrow_weights())
        state = TrainState.create(start, optimizer("float32"))
        assert not isinstance(state.opt_state, masters.MastersState)
        assert state.precise is state.trained


class TestRun:
    def test_lie_where_the_weights_lie(self, make_config, make_base):
        config = make_config(BF16 | {"mesh": {"data": 1, "fsdp": 2, "tensor": 2}})
        start, state = setup.start(config, make_base(config, devices=4), jax.random.key(0))
        assert {x.dtype for x in jax.tree.leaves(state.trained)} == {jnp.dtype("bfloat16")}
        kept = zip(*map(jax.tree.leaves, (state.precise, state.trained)), strict=True)
        for master, param in kept:
            assert master.dtype == jnp.float32
            assert master.sharding == param.sharding
        assert len({str(x.sharding.spec) for x in jax.tree.leaves(start.layout.trained)}) > 2

    def test_adapters_are_float32_whatever_the_weights_are(self, make_config, make_base):
        config = make_config(BF16 | {"lora": {"rank": 2}, "warmup": {"steps": 0},
                                     "model": {"source": "x", **BF16["model"]},
                                     "task": {"use": "arithmetic"}})  # fmt: skip
        base = make_base(make_config(BF16))
        _, state = setup.start(config, base, jax.random.key(0))
        assert {x.dtype for x in jax.tree.leaves(state.trained)} == {jnp.dtype("float32")}
        assert state.precise is state.trained

    def test_are_what_is_exported(self, make_config, make_base):
        config = make_config(BF16)
        base = make_base(config)
        start, state = setup.start(config, base, jax.random.key(0))
        state = state.apply(gradients(state.trained, 0), start.optimizer)
        out = commands.Trained(base, start, state, 1).export()
        jax.tree.map(np.testing.assert_array_equal, out, state.opt_state.masters)
        assert share(start.frozen, out) > 0.99

    def test_go_into_the_checkpoint_and_out_of_it(self, tmp_path):
        state = trained(narrow_weights(), optimizer("bfloat16"), steps=2)
        checkpoints = Checkpoints(tmp_path / "kept", keep=1)
        try:
            checkpoints.save(2, state, {})
            checkpoints.wait()
            back, _ = checkpoints.restore(2, state)
        finally:
            checkpoints.close()
        jax.tree.map(np.testing.assert_array_equal, back, state)


class TestChanged:
    def test_counts_what_differs_in_weights_and_in_masters(self):
        start = narrow_weights()
        before = TrainState.create(start, optimizer("bfloat16"))
        after = before.apply(gradients(start, 0), optimizer("bfloat16"))
        shares = reduce.values(changes(before, after))
        assert shares["updates/changed"] == pytest.approx(share(before.precise, after.precise))
        assert shares["updates/changed_rounded"] == pytest.approx(share(start, after.trained))
        assert shares["updates/changed_rounded"] < 0.1 < 0.9 < shares["updates/changed"]

    def test_wide_weights_are_counted_once(self):
        start = masters.widened(narrow_weights())
        before = TrainState.create(start, optimizer("float32"))
        grads = gradients(start, 0) | {"kernel": jnp.zeros((3, 16, 24))}
        after = before.apply(grads, make_optimizer(1e-3))
        shares = reduce.values(changes(before, after))
        assert shares.keys() == {"updates/changed"}
        assert shares["updates/changed"] == pytest.approx((3 * 16 + 40 * 16) / 1840, rel=1e-6)
