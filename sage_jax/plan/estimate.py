"""Memory by formula: where no compiler is at hand, and to weigh one change against another."""

import dataclasses
import math

import jax.numpy as jnp

from sage_jax import parallel
from sage_jax.plan import memory
from sage_jax.plan.abstract import Abstract
from sage_jax.plan.memory import Memory

_QUERIES = 512  # Queries whose attention scores are held at once.


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What the formulas are made of; rows and arrays are those of one chip.

    Attributes:
        rows: completions of a rollout.
        micro: completions in one pass.
        prompts: prompts in one pass.
        prompt: P, tokens.
        completion: T, tokens.
        tensor: shards of each matrix product.
        value: bytes of an activation.
    """

    rows: int
    micro: int
    prompts: int
    prompt: int
    completion: int
    tensor: int
    value: int


def estimate(run: Abstract) -> dict[str, Memory]:
    """Bytes per chip of each step, by name.

    What the run keeps counts exactly, by its shardings. Temporaries are sums of the largest
    arrays: for the rollout weights whole along the axes that split rows, and keys and values

        2 · L · (prompts · P + rows · T) · K · H · bytes,

    for scores and updates the gathered weights, one layer's activations, attention scores of 512
    queries, logits over a block of the vocabulary; and for updates what the backward pass keeps of
    each layer (the residual stream under `remat: full`, the results of matrix products too under
    `dots`, all results under `none`), gradients, and their float32 sums where there are several
    micro-batches.
    Fragmentation, padding and fusion are not counted: expect the compiler to be off by a third.
    """
    sizes = _sizes(run)
    kept = memory.per_chip(run.kept)
    temporaries = {
        "rollout": _whole_weights(run) + _cache(run, sizes) + _logits(run, sizes.rows),
        "logprobs": _pass(run, sizes),
        "update": _pass(run, sizes) + _saved(run, sizes) + _gradients(run),
    }
    return {name: Memory(kept, 0, 0, size, 0) for name, size in temporaries.items()}


def _sizes(run: Abstract) -> Sizes:
    config, shards = run.config, parallel.row_shards(run.mesh)
    rows = config.rollout.num_completions
    micro = config.optimizer.micro_batch or rows // config.optimizer.num_minibatches
    micro = max(micro // shards, 1)
    return Sizes(
        rows=max(rows // shards, 1),
        micro=micro,
        prompts=max(micro // config.rollout.group_size, 1),
        prompt=config.rollout.max_prompt_length,
        completion=config.rollout.max_completion_length,
        tensor=run.mesh.shape["tensor"],
        value=jnp.dtype(config.model.compute_dtype).itemsize,
    )


def _whole_weights(run: Abstract) -> int:
    """Weights of the sampler, gathered along the axes that split rows."""
    weights = run.learner.frozen if run.config.lora.rank else run.learner.layout.trained
    return memory.per_chip(weights) * run.mesh.shape["fsdp"]


def _cache(run: Abstract, sizes: Sizes) -> int:
    shape = run.shape
    heads = max(shape.num_kv_heads // sizes.tensor, 1)
    prompts = max(sizes.rows // run.config.rollout.group_size, 1)
    tokens = prompts * sizes.prompt + sizes.rows * sizes.completion
    return 2 * shape.num_layers * tokens * heads * shape.head_dim * sizes.value


def _logits(run: Abstract, tokens: int) -> int:
    """Logits and their exponentials, float32."""
    return 2 * tokens * run.shape.vocab_size * 4 // run.mesh.shape["tensor"]


def _tokens(sizes: Sizes) -> int:
    return sizes.prompts * sizes.prompt + sizes.micro * sizes.completion


def _pass(run: Abstract, sizes: Sizes) -> int:
    """One layer at work, beside the embeddings and one layer's weights, gathered."""
    shape, config = run.shape, run.config
    layer = _products(run, sizes) * _tokens(sizes) * sizes.value
    length = sizes.prompt + sizes.completion
    heads = shape.num_heads // sizes.tensor
    scores = 2 * sizes.micro * heads * min(_QUERIES, sizes.completion) * length * 4
    width = 1 if shape.tie_embeddings else 2
    weights = jnp.dtype(config.model.param_dtype).itemsize * (
        width * shape.vocab_size * shape.hidden_size + _layer_weights(run)
    )
    split = parallel.row_shards(run.mesh) > 1
    gathered = weights // sizes.tensor if split else 0
    return layer + scores + _logits_block(run, sizes) + gathered


def _logits_block(run: Abstract, sizes: Sizes) -> int:
    """Logits of a pass and their exponentials over one block of the vocabulary, float32."""
    tokens, shards = sizes.micro * sizes.completion, run.learner.shards
    block = min(shards.block_size(tokens * shards.rows), run.shape.vocab_size // shards.vocab)
    return 2 * tokens * block * 4


def _layer_weights(run: Abstract) -> int:
    shape = run.shape
    heads = 2 * (shape.num_heads + shape.num_kv_heads) * shape.head_dim
    return shape.hidden_size * (heads + 3 * shape.intermediate_size)


def _products(run: Abstract, sizes: Sizes) -> int:
    """Numbers that a layer's matrix products give for one token."""
    shape = run.shape
    inner = (shape.num_heads + 2 * shape.num_kv_heads) * shape.head_dim
    return (inner + 2 * shape.intermediate_size) // sizes.tensor + 2 * shape.hidden_size


def _saved(run: Abstract, sizes: Sizes) -> int:
    """What the forward pass leaves for the backward pass."""
    shape = run.shape
    products = _products(run, sizes)
    inner = (shape.num_heads * shape.head_dim + 3 * shape.intermediate_size) // sizes.tensor
    each = {
        "full": shape.hidden_size,
        "dots": shape.hidden_size + products,
        "none": 4 * shape.hidden_size + products + inner,
    }[run.config.model.remat]
    return shape.num_layers * _tokens(sizes) * each * sizes.value


def _gradients(run: Abstract) -> int:
    """Gradients in the dtype of what is trained, and their float32 sums."""
    trained = run.learner.layout.trained
    rows = run.config.rollout.num_completions
    per_update = rows // run.config.optimizer.num_minibatches
    several = (run.config.optimizer.micro_batch or per_update) < per_update
    width = min(leaf.dtype.itemsize for leaf in memory.leaves(trained))
    return math.ceil(memory.per_chip(trained) * (1 + (4 / width if several else 0)))
