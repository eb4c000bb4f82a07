"""The whole of a training step over several meshes: the same figures, and nothing replicated.

Each step is compiled once, and all that is to be said of it is said of that one.
"""

import dataclasses
import functools
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import assert_close

from sage_jax import config as configs
from sage_jax import parallel, setup
from sage_jax.data import brackets
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.placement import keep_sharding
from sage_jax.plan.abstract import open_abstract, programs

REPLICA_BYTES = 2**20
# float32 sums in another order, through two updates. Plain gradients are held to 2e-5 of their norm
# in test_steps.
CLOSE: Any = {"rtol": 2e-4, "atol": 1e-5}
# Adam divides by a gradient's size: with its usual 1e-8, a rounding error becomes a whole step
# where the gradient is nearly zero. One entry of 20,000 has moved the next gradient's norm by 0.2%.
EPS = 1e-3


def sizes(mesh):
    return dict(zip(("data", "fsdp", "tensor"), mesh, strict=True))


@pytest.fixture(scope="module")
def metrics_of(make_config):
    """A function to the metrics of one whole step: rollout, reward, score and two updates.

    It holds the state to its sharding, and a second step to the first one's program.
    """

    @functools.cache
    def run(family, rank, mesh, attention="plain"):
        shape = {"family": family, "num_heads": 8, "num_kv_heads": 8}
        config = make_config({
            "model": {"architecture": shape, "attention": attention},
            "mesh": sizes(mesh),
            "rollout": {"num_prompts": 8},
            "optimizer": {"num_minibatches": 2, "learning_rate": 1e-4, "eps": EPS},
        })  # fmt: skip
        # A warm-up and adapters do not go together in a config; here there is no warm-up.
        lora = config.lora.model_copy(update={"rank": rank, "alpha": 8.0})
        config = config.model_copy(update={"lora": lora})
        start, state, base = started(config)
        step = keep_sharding(whole_step(start, setup.decoding(config, base.task)), start.layout)
        state, metrics, rollout, rewards = step(
            state, start.frozen, jax.random.key(3), jnp.int32(2)
        )
        values = {name: np.asarray(metric.value()) for name, metric in metrics.items()}
        seen = values, *map(np.asarray, (rollout.tokens, rewards, rollout.logps))
        assert_laid_out(state, start.layout)
        state, *_ = step(state, start.frozen, jax.random.key(3), jnp.int32(3))
        assert_laid_out(state, start.layout)
        assert step._cache_size() == 1
        return seen

    return run


def whole_step(learner, decoding):
    """The learner's pure functions as one program; draws eight prompts itself."""
    decoding, _ = learner.policy.decoding(decoding)
    rows = parallel.batch_sharding(learner.policy.mesh, 8)

    def run(state, frozen, root, step):
        prompts = brackets.draw(derive(root, Purpose.PROMPTS, step), 8, brackets.PLAY).prompts
        # Nothing else tells the compiler to split what it draws itself.
        prompts = jax.lax.with_sharding_constraint(prompts, rows)
        key = derive(root, Purpose.ROLLOUT, step, 0)
        mask = jnp.ones_like(prompts, bool)
        rollout = learner.rollout(state.trained, frozen, prompts, mask, key, decoding)
        # Rewards that differ inside a group whatever the model writes.
        rewards = (jnp.sum(rollout.tokens, axis=1) % 3 == 0).astype(jnp.float32)
        terms = learner.logprobs(state.trained, frozen, rollout)
        terms = dataclasses.replace(terms, rewards=rewards)
        state, metrics, _ = learner.learn(state, frozen, rollout, terms, root, step)
        return state, metrics, rollout, rewards

    return run


def assert_laid_out(state, layout):
    for leaf, like in zip(jax.tree.leaves(state), jax.tree.leaves(layout), strict=True):
        assert leaf.sharding.is_equivalent_to(like.sharding, leaf.ndim)


def started(config):
    base = setup.open_random(config, jax.random.key(0))
    # Larger weights than an initialiser's, so that policies and gradients are far from flat.
    wide = jax.tree.map(lambda x: x * jnp.asarray(3, x.dtype), base.loaded.params)
    base = setup.with_params(base, wide)
    return *setup.start(config, base, jax.random.key(config.seed)), base


# Every family over all three axes at once, and each axis alone for one of them; they differ in what
# little they add to a layer.
CASES = [
    ((2, 2, 2), "llama", 4), ((2, 2, 2), "qwen2", 0), ((2, 2, 2), "qwen3", 4),
    ((8, 1, 1), "llama", 0), ((1, 8, 1), "qwen2", 4), ((1, 1, 8), "qwen3", 0),
]  # fmt: skip


@pytest.mark.parametrize(("mesh", "family", "rank"), CASES, ids=str)
def test_a_mesh_changes_no_figure(metrics_of, mesh, family, rank):
    assert_same(metrics_of(family, rank, mesh), metrics_of(family, rank, (1, 1, 1)))


def test_a_kernel_over_a_mesh_changes_no_figure(metrics_of):
    kernel = metrics_of("qwen3", 0, (2, 2, 2), "splash")
    assert_same(kernel, metrics_of("qwen3", 0, (1, 1, 1)))


def assert_same(one, other):
    (values, tokens, rewards, logps), (plain, plain_tokens, plain_rewards, plain_logps) = one, other
    np.testing.assert_array_equal(tokens, plain_tokens)
    np.testing.assert_allclose(logps, plain_logps, **CLOSE)
    np.testing.assert_array_equal(rewards, plain_rewards)
    assert 0 < rewards.mean() < 1
    assert_close(values, plain, **CLOSE)


SHAPE = {
    "model_type": "qwen2", "vocab_size": 16384, "hidden_size": 256, "intermediate_size": 1024,
    "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4,
    "rms_norm_eps": 1e-6, "rope_theta": 1e4, "tie_word_embeddings": False,
    "max_position_embeddings": 256, "eos_token_id": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def compiled_over(tmp_path_factory):
    """A function from a mesh to the three compiled steps of a model whose arrays are large."""
    folder = tmp_path_factory.mktemp("shape")
    (folder / "config.json").write_text(json.dumps(SHAPE))

    @functools.cache
    def compile_all(mesh):
        config = configs.parse({
            "name": "large", "model": {"source": str(folder), "remat": "full"},
            "task": {"use": "arithmetic"}, "optimizer": {"micro_batch": 32}, "mesh": sizes(mesh),
            "rollout": {"num_prompts": 8, "group_size": 8, "max_prompt_length": 128,
                        "max_completion_length": 128},
            "eval": {"batch_prompts": 8},
        })  # fmt: skip
        run = open_abstract(config, jax.devices()[: int(np.prod(mesh))])
        lowered, compiled = {}, {}
        for name, make in programs(run):
            program = make(compiled)
            lowered[name] = program.function.lower(*program.arguments)
            compiled[name] = lowered[name].compile()
        return run, lowered, compiled

    return compile_all


def replicas(shapes, shardings):
    """Paths of arrays above 1 MB that a device holds whole."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(shapes)
    return [
        (jax.tree_util.keystr(path), leaf.shape)
        for (path, leaf), sharding in zip(leaves, jax.tree.leaves(shardings), strict=True)
        if leaf.size * leaf.dtype.itemsize > REPLICA_BYTES
        and sharding.shard_shape(leaf.shape) == leaf.shape
    ]


@pytest.mark.parametrize("mesh", [(1, 8, 1), (2, 2, 2)], ids=str)
def test_nothing_large_is_replicated(compiled_over, mesh):
    run, lowered, compiled = compiled_over(mesh)
    layout = jax.tree.leaves(run.kept)
    assert not replicas(layout, [x.sharding for x in layout])
    for name, step in compiled.items():
        assert not replicas(lowered[name].out_info, step.output_shardings), name
