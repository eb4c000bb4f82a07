"""The pure steps: splits, shards, adapters and compilations change nothing but time."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from fast_compile import OPTIMISED
from runs import assert_close
from whole_rows import whole_rows

from sage_jax import models, parallel, setup
from sage_jax.data import brackets
from sage_jax.learn.bins import pack, put, take, unpack
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.packing import fit
from sage_jax.learn.passes import Pass
from sage_jax.learn.sequences import completion_hidden, join_groups, of_rollout, split_groups
from sage_jax.learn.trim import bucket
from sage_jax.losses import reduce
from sage_jax.rollout import Finish, Rollout

# float32 sums in another order: the largest difference seen is 2e-6.
CLOSE: Any = {"rtol": 2e-5, "atol": 5e-6}
ROWS = 16


def prepare(config, base):
    """The start of a run whose updates are plain gradients, so that weights show them unscaled."""
    # Several updates of that size would run away; theirs are small.
    several = config.optimizer.num_minibatches * config.optimizer.epochs > 1
    plain = optax.sgd(1e-5 if several else 1.0)
    learner = dataclasses.replace(setup.make_learner(config, base), optimizer=plain)
    state = learner.init(derive(jax.random.key(config.seed), Purpose.ADAPTERS), donate=True)
    return learner, state, learner.frozen


def learn(config, base, rollout, rewards, *, packed=False, compiler_options=None):
    """Score and update on a given rollout: (state, metrics)."""
    steps, state, frozen = prepare(config, base)
    root, step = jax.random.key(config.seed), jnp.int32(5)
    packing = None
    if packed:
        packing = steps.pack(np.asarray(rollout.mask).sum(axis=1).astype(int), rollout)
        assert packing is not None
        packing = parallel.shard(packing, parallel.replicated(base.mesh))

    @functools.partial(jax.jit, compiler_options=compiler_options)
    def both(state, frozen, rollout, rewards, packing):
        terms = steps.logprobs(state.trained, frozen, rollout, packing)
        terms = dataclasses.replace(terms, rewards=rewards)
        return steps.learn(state, frozen, rollout, terms, root, step, packing)[:2]

    return both(state, frozen, rollout, rewards, packing)


def a_rollout(*, rows=ROWS, length=8, group_size=4):
    """Completions of several lengths as a sampler would give them."""
    draw = np.random.default_rng(0)
    prompts = draw.integers(0, brackets.VOCAB_SIZE, (rows // group_size, 6)).astype(np.int32)
    mask = (np.arange(length) < draw.integers(1, length + 1, (rows, 1))).astype(np.float32)
    return Rollout(
        prompt_tokens=jnp.asarray(prompts),
        prompt_mask=jnp.ones(prompts.shape, bool),
        tokens=jnp.asarray(draw.integers(0, brackets.VOCAB_SIZE, mask.shape).astype(np.int32)),
        mask=jnp.asarray(mask),
        logps=jnp.asarray(-draw.exponential(2, mask.shape).astype(np.float32) * mask),
        finish=jnp.where(mask.all(axis=1), Finish.LENGTH, Finish.STOP_TOKEN),
    )


# Rewards that differ inside every group, so that there is a gradient.
REWARDS = jnp.asarray(np.tile([1.0, 0.0, 0.0, 1.0], ROWS // 4), jnp.float32)


@pytest.fixture(scope="module")
def learned(make_base):
    """A function from a config to what an update on that rollout gives, found once for each."""
    found = {}

    def learn_once(config, *, packed=False):
        key = config.model_dump_json(), packed
        if key not in found:
            mesh = config.mesh
            base = make_base(config, devices=mesh.data * mesh.fsdp * mesh.tensor)
            given = jax.device_put((a_rollout(), REWARDS), parallel.batch_sharding(base.mesh, 4))
            found[key] = learn(config, base, *given, packed=packed)
        return found[key]

    return learn_once


def compare(left, right):
    (state, metrics), (other, other_metrics) = left[:2], right[:2]
    assert_close(reduce.values(metrics), reduce.values(other_metrics), **CLOSE)
    # Updates are plain gradients: held to 2e-5 of the norm of them all, which float32 sums over
    # other partitions of the rows keep. What is compiled without vectors adds up one by one, and
    # rounds more than a tree of sums would: 1.01e-5 was seen.
    bound = 2e-5 * float(metrics["grad_norm"].value())
    for a, b in zip(jax.tree.leaves(state.trained), jax.tree.leaves(other.trained), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=bound + 1e-7)


KNOBS = [
    {},
    {"loss": {"kl_estimator": "forward_exact", "sampler_correction": "truncate"}},
    {
        "guide": {"use": "gated", "share": 0.3, "hold": 2.5, "width": 0.1},
        "loss": {
            "surrogate": {"use": "clip_cov", "share": 0.2, "low": -5.0},
            "entropy_advantage": {"alpha": 0.4},
            "entropy_coef": 0.01,
            "mask_truncated": True,
        },
        "optimizer": {"num_minibatches": 2, "epochs": 2},
    },
]
MORE_KNOBS = [
    {"guide": "random", "loss": {"reduction": "dapo"}},
    {"guide": "token", "loss": {"reduction": "bnpo", "level": "sequence"}},
    {"loss": {"reduction": "dr_grpo", "advantage": "rloo", "top_entropy_quantile": 0.3}},
    {"guide": "none", "loss": {"kl_coef": 0.0, "advantage": "batch"}},
    {
        "guide": "random",
        "loss": {"kl_estimator": "k1", "kl_in": "reward", "advantage": "rloo"},
    },
    {
        "guide": {"use": "gated", "share": 0.3, "hold": 2.5},
        "loss": {
            "kl_estimator": {"use": "exact", "renormalize": False},
            "kl_in": "advantage",
            "kl_gates": ["unequal", "wrong"],
        },
    },
]


@pytest.mark.parametrize(
    "changes", [*KNOBS, *(pytest.param(k, marks=pytest.mark.slow) for k in MORE_KNOBS)], ids=str
)
def test_micro_batches_equal_the_whole(make_config, learned, changes):
    whole = make_config(changes)
    part = make_config({**changes, "optimizer": {**changes.get("optimizer", {}), "micro_batch": 4}})
    left = learned(whole)
    assert float(left[1]["grad_norm"].value()) > 1e-3
    compare(left, learned(part))


def _with_lora(config, rank):
    # A warm-up and adapters do not go together in a config; here there is no warm-up.
    lora = config.lora.model_copy(update={"rank": rank, "alpha": 8.0})
    return config.model_copy(update={"lora": lora})


@pytest.mark.parametrize(
    ("mesh", "rank"),
    [((4, 1, 1), 0), ((1, 4, 1), 4), ((1, 1, 4), 0), ((2, 2, 2), 0), ((2, 2, 2), 4)],
    ids=str,
)
def test_sharded_equals_one_device(make_config, learned, mesh, rank):
    axes = dict(zip(("data", "fsdp", "tensor"), mesh, strict=True))
    plain = _with_lora(make_config(), rank)
    meshed = _with_lora(make_config({"mesh": axes}), rank)
    compare(learned(plain), learned(meshed))


# An estimator that needs all logits is not packed.
PACKED, PACKED_MORE = ([k for k in some if "exact" not in str(k)] for some in (KNOBS, MORE_KNOBS))


@pytest.mark.parametrize(
    "changes", [*PACKED, *(pytest.param(k, marks=pytest.mark.slow) for k in PACKED_MORE)], ids=str
)
def test_packed_equals_unpacked(make_config, learned, changes):
    config = make_config(changes)
    compare(learned(config), learned(config, packed=True))


@pytest.mark.parametrize(
    ("mesh", "rank", "micro_batch"),
    [
        ((1, 1, 1), 4, 4),
        ((2, 2, 2), 0, 0),
        # One row for each device.
        ((4, 1, 1), 0, 4),
        pytest.param((4, 1, 1), 0, 0, marks=pytest.mark.slow),
        pytest.param((1, 2, 2), 4, 8, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_packed_in_parts_and_sharded_equals_unpacked(make_config, learned, mesh, rank, micro_batch):
    axes = dict(zip(("data", "fsdp", "tensor"), mesh, strict=True))
    plain = _with_lora(make_config(), rank)
    changes = {"mesh": axes, "optimizer": {"micro_batch": micro_batch}}
    meshed = _with_lora(make_config(changes), rank)
    compare(learned(plain), learned(meshed, packed=True))


def test_adapters_leave_the_reference_alone(make_config, make_base):
    config = _with_lora(make_config(), 4)
    base = make_base(config)
    start, first = setup.start(config, base, jax.random.key(0))
    assert start.frozen is base.loaded.params
    sizes = [x.size for x in jax.tree.leaves(first.trained)]
    assert sum(sizes) < sum(x.size for x in jax.tree.leaves(base.loaded.params)) / 2
    state, metrics = learn(config, base, a_rollout(), REWARDS)
    moved = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), state.trained, first.trained)
    assert max(map(float, jax.tree.leaves(moved))) > 0
    # Adapters begin as nothing, so that the policy is the reference in the first step.
    np.testing.assert_allclose(metrics["kl/reference"].value(), 0, atol=1e-7)


def test_folded_adapters_are_the_policy(make_config, make_base):
    config = _with_lora(make_config(), 4)
    base = make_base(config)
    start, first = setup.start(config, base, jax.random.key(0))
    policy, adapters = start.policy.modules, jax.tree.map(
        lambda x: 0.1 * jax.random.normal(jax.random.key(x.size), x.shape), first.trained
    )  # fmt: skip
    tokens = jnp.arange(12, dtype=jnp.int32).reshape(2, 6)
    valid = jnp.ones((2, 6), bool)
    positions = jnp.broadcast_to(jnp.arange(6, dtype=jnp.int32), (2, 6))

    def hidden(graphdef, params):
        return models.merge(graphdef, params)(tokens, positions, valid)[0]

    apart = hidden(policy.graphdef, policy.params(adapters, base.loaded.params))
    folded = hidden(policy.reference_graphdef, policy.folded(adapters, base.loaded.params))
    np.testing.assert_allclose(apart, folded, rtol=0, atol=2e-4)


@pytest.mark.parametrize("folded", [True, False], ids=["folded", "apart"])
def test_what_samples_with_adapters_is_what_is_scored(make_config, make_base, folded):
    """Decoding token by token, by a cache, against the pass that learning makes."""
    config = _with_lora(make_config(), 4)
    base = make_base(config)
    learner, first = setup.start(config, base, jax.random.key(0))
    adapters = jax.tree.map(
        lambda x: 0.3 * jax.random.normal(jax.random.key(x.size), x.shape), first.trained
    )
    policy, frozen = learner.policy.modules, base.loaded.params
    model = policy.decoder(adapters, frozen)
    assert policy.exact_fold
    if not folded:
        model = policy.graphdef, policy.params(adapters, frozen)
    decoding = dataclasses.replace(setup.decoding(config, base.task), min_p=0.02)
    prompts = base.task.held_out(2)
    rollout = setup.sampler(learner.policy, decoding)(
        *model, prompts.tokens, prompts.mask, jax.random.key(1)
    )
    each = Pass(decoding.temperature, len(rollout.tokens), learner.shards)
    of = of_rollout(rollout)
    scored = logprobs(policy.graphdef, policy.params(adapters, frozen), of, each=each)[0]
    np.testing.assert_allclose(rollout.logps, scored * rollout.mask, rtol=0, atol=1e-4)
    plain = logprobs(policy.reference_graphdef, frozen, of, each=each)[0]
    assert np.abs((plain - scored) * rollout.mask).max() > 0.1  # The adapters do something.


def test_adapters_are_not_rounded_away_in_bfloat16(make_config, make_base):
    """Folded into bfloat16 weights, a change this small would vanish from the sampler."""
    config = _with_lora(make_config({"model": {"param_dtype": "bfloat16"}}), 4)
    base = make_base(config)
    start, first = setup.start(config, base, jax.random.key(0))
    graphdef, params = start.decoder(first.trained)
    assert params[0] is base.loaded.params
    assert graphdef == start.policy.modules.graphdef


def test_equal_rewards_teach_nothing_without_an_anchor(make_config, make_base):
    config = make_config({"guide": "none", "loss": {"kl_coef": 0.0}})
    base = make_base(config)
    state, metrics = learn(config, base, a_rollout(), jnp.ones(ROWS, jnp.float32))
    assert float(metrics["grad_norm"].value()) == 0.0
    jax.tree.map(np.testing.assert_array_equal, base.loaded.params, state.trained)


def test_padding_never_leaks(make_config, make_base):
    """Whatever stands behind the end of a completion, in tokens and in figures, moves nothing."""
    config = make_config({"loss": {"sampler_correction": "truncate"}})
    base, clean = make_base(config), a_rollout()
    junk = dataclasses.replace(
        clean,
        tokens=jnp.where(clean.mask > 0, clean.tokens, 7),
        logps=jnp.where(clean.mask > 0, clean.logps, jnp.nan),
    )
    left = learn(config, base, clean, REWARDS)
    right = learn(config, base, junk, REWARDS)
    jax.tree.map(np.testing.assert_array_equal, left[0].trained, right[0].trained)
    for name, metric in left[1].items():
        np.testing.assert_array_equal(metric.value(), right[1][name].value(), err_msg=name)


def test_bucketed_lengths_change_nothing(make_config, make_base):
    config = make_config()
    base, wide = make_base(config), a_rollout(length=5)
    short = jax.tree.map(jnp.asarray, wide)
    pad = {n: jnp.pad(getattr(wide, n), ((0, 0), (0, 5))) for n in ("tokens", "mask", "logps")}
    padded = dataclasses.replace(wide, **pad)
    assert bucket(int(padded.mask.sum(axis=1).max()), 10) == 5
    # Without vectors sums of other lengths round to 2e-5 apart on some machines, with them to 4e-7.
    one = functools.partial(learn, config, base, rewards=REWARDS, compiler_options=OPTIMISED)
    compare(one(rollout=padded), one(rollout=short))


@pytest.mark.parametrize("shards", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [1, 2, 4, 8, 16])
def test_split_and_join_are_inverse(count, shards):
    """Four groups of four: parts of whole groups, of smaller ones, and at last of rows."""
    rollout = a_rollout()
    parts, rows = split_groups(of_rollout(rollout), rollout.logps, count, shards=shards)
    assert parts.tokens.shape[:2] == (count, ROWS // count)
    prompts = parts.prompt_tokens.shape[1]
    assert prompts % shards == 0 or prompts == ROWS // count
    np.testing.assert_array_equal(join_groups(parts.tokens, prompts * count), rollout.tokens)
    np.testing.assert_array_equal(join_groups(rows, prompts * count), rollout.logps)
    repeat = parts.tokens.shape[1] // parts.prompt_tokens.shape[1]
    paired = {(tuple(p), tuple(t)) for part in range(count) for p, t in zip(
        np.repeat(parts.prompt_tokens[part], repeat, axis=0).tolist(),
        parts.tokens[part].tolist(), strict=True)}  # fmt: skip
    prompts = np.repeat(rollout.prompt_tokens, 4, axis=0).tolist()
    assert paired == {(tuple(p), tuple(t)) for p, t in
                      zip(prompts, rollout.tokens.tolist(), strict=True)}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{"optimizer": {"packing": False}}, {"loss": {"kl_estimator": "forward_exact"}},
     {"model": {"attention": "splash"}}],
    ids=str,
)  # fmt: skip
def test_rows_are_not_shared_where_they_cannot_be(make_config, make_base, changes):
    config = make_config(changes)
    steps, *_ = prepare(config, make_base(config))
    assert steps.pack(np.ones(ROWS, int), a_rollout()) is None


def test_a_kernel_refuses_rows_of_several_completions(make_config, make_base):
    base = make_base(make_config({"model": {"attention": "splash"}}))
    model = models.merge(base.loaded.graphdef, base.loaded.params)
    packing = fit(np.ones(ROWS, int), group_size=4, prompt_length=6, length=8, micro_batch=16,
                  updates=1, shards=1)  # fmt: skip
    assert packing is not None
    with pytest.raises(ValueError, match="a kernel would not keep them apart"):
        packed_hidden(model, of_rollout(a_rollout()), packing)


def packed_hidden(model, sequences, packing):
    """Hidden states [B, T, D] as rows of several completions give them."""
    only = jax.tree.map(lambda x: x[0], packing)
    whole = jnp.zeros((*sequences.tokens.shape, model.config.hidden_size))
    for index in range(only.passes):
        own, _, layout = take(only, index, sequences, ())
        rows = completion_hidden(model, pack(own, layout))
        unpacked = [unpack(rows[:, :, i], layout) for i in range(rows.shape[2])]
        whole = put(only, index, whole, jnp.stack(unpacked, axis=-1))
    return whole


@pytest.mark.parametrize("length", [1, 8])
def test_shared_prompts_give_what_whole_rows_give(make_config, make_base, length):
    base = make_base(make_config())
    model = models.merge(base.loaded.graphdef, base.loaded.params)
    rollout = a_rollout(length=length)
    mask = jnp.asarray(np.arange(6) >= np.array([[0], [2], [5], [1]]))
    rollout = dataclasses.replace(rollout, prompt_mask=mask)
    shared = [completion_hidden(model, of_rollout(rollout))]
    lengths = np.asarray(rollout.mask).sum(axis=1).astype(int)
    packing = fit(lengths, group_size=4, prompt_length=6, length=length, micro_batch=16, updates=1,
                  shards=1)  # fmt: skip
    assert (packing is None) == (length == 1)
    if packing is not None:
        shared.append(packed_hidden(model, of_rollout(rollout), packing))
    hidden, _ = model(*whole_rows(rollout))
    kept = np.asarray(rollout.mask) > 0
    # Hidden states reach 10; float32 sums over other blocks differ by up to 4e-5.
    for one in shared:
        np.testing.assert_allclose(
            np.asarray(one)[kept], np.asarray(hidden[:, 5:-1])[kept], rtol=0, atol=1e-4
        )
