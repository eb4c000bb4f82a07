"""Decoder-only transformers; what differs from family to family is read from a `Family`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypedDict

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from sage_jax.losses.fused import Constrain, unconstrained
from sage_jax.models.attention import Attention, Past, attend
from sage_jax.models.cache import KVCache
from sage_jax.models.config import ModelConfig
from sage_jax.models.layers import Linear, RMSNorm, Turned, stats_dtype
from sage_jax.models.rope import angles

Remat = Literal["none", "dots", "full"]
# (q, k, v, mask, *, past) -> what `attend` gives.
Attend = Callable[..., jax.Array]


class ModelOptions(TypedDict, total=False):
    """How a model computes, whatever its weights.

    Attributes:
        compute_dtype: Of activations and products, e.g. bfloat16; default float32.
        param_dtype: Of the parameters; default float32.
        remat: What the backward pass recomputes: "none", the default, all but matrix products
            ("dots"), or everything inside a block ("full").
        constrain: Says how activations lie over devices, by the names of their axes: "batch" for
            rows, "replica" for rows that only replicas split, "embed" and "vocab". Left to itself,
            the compiler may take the layout of sharded weights for that of the activations, and
            split no rows.
        attend: Attention of whole sequences: `attend`, the default, or what stands for it, as
            `Splash`. Over a cache it is always `attend`.
    """

    compute_dtype: DTypeLike
    param_dtype: DTypeLike
    remat: Remat
    constrain: Constrain
    attend: Attend


class MLP(nnx.Module):
    """down(f(gate(x)) · up(x)) with the family's f, mostly silu (Shazeer, 2020)."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        compute_dtype: DTypeLike,
        param_dtype: DTypeLike,
        rngs: nnx.Rngs,
    ):
        options = {"compute_dtype": compute_dtype, "param_dtype": param_dtype, "rngs": rngs}
        width, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = Linear(width, inner, **options)
        self.up_proj = Linear(width, inner, **options)
        shrink = 1 / (2 * config.num_layers)
        self.down_proj: Linear | Turned = Linear(inner, width, scale=shrink, **options)
        self.gate_up_proj: Turned | None = nnx.data(None)
        self.activation = config.traits.activation

    def turn(self) -> None:
        """From now on multiply by what the weights are now, `Turned`."""
        assert isinstance(self.down_proj, Linear)
        self.gate_up_proj = nnx.data(Turned(self.gate_proj, self.up_proj))
        self.down_proj = Turned(self.down_proj)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps [B, S, D] to [B, S, D]."""
        if self.gate_up_proj is not None:
            gate, up = jnp.split(self.gate_up_proj(x), 2, axis=-1)
        else:
            gate, up = self.gate_proj(x), self.up_proj(x)
        return self.down_proj(self.activation(gate) * up)


class Block(nnx.Module):
    """One layer: attention and MLP, each normalised (before, mostly) and added to the stream."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        compute_dtype: DTypeLike,
        param_dtype: DTypeLike,
        rngs: nnx.Rngs,
    ):
        dtypes = {"compute_dtype": compute_dtype, "param_dtype": param_dtype}
        norm = {"eps": config.rms_norm_eps, "offset": config.traits.norm_offset, **dtypes}
        width, norms = config.hidden_size, config.traits.norms
        self.residual_multiplier = config.residual_multiplier
        self.self_attn = Attention(config, rngs=rngs, **dtypes)
        if "before" in norms:
            self.input_layernorm = RMSNorm(width, **norm)
            self.post_attention_layernorm = RMSNorm(width, **norm)
        if "after" in norms:
            self.attention_out_norm = RMSNorm(width, **norm)
            self.mlp_out_norm = RMSNorm(width, **norm)
        self.mlp = MLP(config, rngs=rngs, **dtypes)

    def turn(self) -> None:
        """From now on multiply by what the weights are now, `Turned`."""
        self.self_attn.turn()
        self.mlp.turn()

    def project(self, x: jax.Array, cos: jax.Array, sin: jax.Array) -> tuple[jax.Array, ...]:
        """Queries, keys and values of the stream, normalised where that comes before."""
        return self.self_attn.project(self._norm("input_layernorm", x), cos, sin)

    def finish(
        self, x: jax.Array, attended: jax.Array, lay: Callable[[jax.Array], jax.Array]
    ) -> jax.Array:
        """Adds the attention's output and then the MLP's to the stream [B, S, D].

        After both the stream is laid out by `lay`. The compiler by itself would cut it along D,
        where an adapter's wide product is added, and send pieces round for every product after.
        """
        x = lay(self._add(x, "attention_out_norm", self.self_attn.output(attended)))
        made = self.mlp(self._norm("post_attention_layernorm", x))
        return lay(self._add(x, "mlp_out_norm", made))

    def _add(self, x: jax.Array, norm: str, result: jax.Array) -> jax.Array:
        result, scale = self._norm(norm, result), self.residual_multiplier
        return x + (result if scale == 1 else scale * result)

    def _norm(self, name: str, x: jax.Array) -> jax.Array:
        """By the norm of that name, where the family has it."""
        return getattr(self, name)(x) if hasattr(self, name) else x


class Unrolled(NamedTuple):
    """What many short passes need, from `Transformer.unstacked`.

    Attributes:
        blocks: One by one, with `Turned` weights.
        cos: [P, H / 2] for the rotation at positions 0 .. P - 1.
        sin: Like `cos`.
    """

    blocks: list[Block]
    cos: jax.Array
    sin: jax.Array


class Transformer(nnx.Module):
    """A stack of equal blocks between an embedding and an unembedding.

    The blocks' parameters lie stacked on their first axis and are run by `lax.scan`.

    Args:
        config: Sizes and family.
        compute_dtype, param_dtype, remat, constrain, attend: See `ModelOptions`.
        rngs: Stream `params` for the initial values.

    Raises:
        ValueError: `remat` is none of the three.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        compute_dtype: DTypeLike = jnp.float32,
        param_dtype: DTypeLike = jnp.float32,
        remat: Remat = "none",
        constrain: Constrain = unconstrained,
        attend: Attend = attend,
        rngs: nnx.Rngs,
    ):
        if remat not in ("none", "dots", "full"):
            raise ValueError(f"remat is {remat!r}; it must be 'none', 'dots' or 'full'")
        dtypes = {"compute_dtype": compute_dtype, "param_dtype": param_dtype}
        self.config = config
        self.remat: Remat = remat
        self.constrain: Constrain = constrain
        self.attend: Attend = attend
        self.compute_dtype = jnp.dtype(compute_dtype)
        init = jax.nn.initializers.normal(0.02)
        shape = (config.vocab_size, config.hidden_size)
        self.embed_tokens = nnx.Param(init(rngs.params(), shape, param_dtype))
        self.layers = _stacked_blocks(config, rngs, **dtypes)
        offset = config.traits.norm_offset
        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps, offset=offset, **dtypes)
        if not config.tie_embeddings:
            # First logits as small as those of a tied embedding.
            scale = config.hidden_size * 0.02**2
            self.lm_head = Linear(*reversed(shape), scale=scale, rngs=rngs, **dtypes)

    def __call__(
        self,
        tokens: jax.Array,
        positions: jax.Array,
        valid: jax.Array,
        cache: KVCache | None = None,
        unrolled: Unrolled | None = None,
    ) -> tuple[jax.Array, KVCache | None]:
        """The final normalised hidden states; `unembed` turns them into logits.

        A token sees the valid tokens at or before its own place. With a cache, the new keys and
        values are written to slots index .. index + S - 1 of every row, and a token sees the valid
        slots at or before its own, and all of the cache's past; the caller sees to it that
        index + S does not pass the cache's length.

        Args:
            tokens: [B, S] int32.
            positions: [B, S] int32, places for the rotation; of padding, anything.
            valid: [B, S] bool, false on padding.
            cache: What came before, or None.
            unrolled: From `unstacked`, with an unstacked cache: blocks run one after the other.

        Returns:
            hidden: [B, S, D] in the compute dtype.
            cache: The cache with the new slots filled, or None.
        """
        x = self._embed(tokens)
        if unrolled is None:
            cos, sin = angles(self.config, positions, dtype=stats_dtype(self.compute_dtype))
        else:
            cos, sin = unrolled.cos[positions], unrolled.sin[positions]
        if cache is None:
            x = self._run(x, cos, sin, _causal_mask(valid))
        else:
            x, cache = self._continue(x, cos, sin, valid, cache, unrolled)
        return self._rows(self.norm(x)), cache

    def continue_prompts(
        self,
        prompt_tokens: jax.Array,
        prompt_valid: jax.Array,
        tokens: jax.Array,
        valid: jax.Array,
        *,
        segments: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Hidden states of N prompts and of B = N·G continuations, each prompt computed once.

        The same numbers as `__call__` on every prompt followed by each of its G continuations,
        rows of one prompt adjacent, for the work of N prompts instead of B: in reinforcement
        learning with short answers most tokens are the prompts'.

        Args:
            prompt_tokens: [N, P] int32, left-padded.
            prompt_valid: [N, P] bool.
            tokens: [B, T] int32, right-padded.
            valid: [B, T] bool.
            segments: [B, T] int32, which of several continuations in a row a token belongs to, one
                after the other, 0 for none; they see their prompt and not each other. B is then
                the number of rows, G the rows of a prompt.

        Returns:
            [N, P, D] and [B, T, D] in the compute dtype.

        Raises:
            ValueError: There are segments, and the model attends by a kernel, which reads nothing
                of a mask but which tokens are valid.
        """
        if segments is not None and self.attend is not attend:
            raise ValueError("segments need models.attend; a kernel would not keep them apart")
        group_size = tokens.shape[0] // prompt_tokens.shape[0]
        before = jnp.sum(prompt_valid, axis=1, keepdims=True, dtype=jnp.int32)
        before = jnp.repeat(before, group_size, axis=0)
        streams, turns = [], []
        for ids, positions in (
            (prompt_tokens, count_positions(prompt_valid)),
            (tokens, before + _positions(valid, segments)),
        ):
            streams.append(self._embed(ids))
            turns.append(angles(self.config, positions, dtype=stats_dtype(self.compute_dtype)))
        prompt_mask, own_mask = _causal_mask(prompt_valid), _causal_mask(valid, segments)
        graph, stacked = nnx.split(self.layers)

        def body(streams: tuple, params: Any) -> tuple[tuple, None]:
            block, (prompts, own) = nnx.merge(graph, params), streams
            q, k, v = block.project(prompts, *turns[0])
            prompts = block.finish(prompts, self.attend(q, k, v, prompt_mask), self._rows)
            past = Past(k, v, prompt_valid)
            own_q, own_k, own_v = block.project(own, *turns[1])
            attended = self.attend(own_q, own_k, own_v, own_mask, past=past)
            return (prompts, block.finish(own, attended, self._rows)), None

        streams, _ = jax.lax.scan(_rematerialised(body, self.remat), tuple(streams), stacked)
        prompts, own = (self._rows(self.norm(stream)) for stream in streams)
        return prompts, own

    def unembed(self, hidden: jax.Array) -> jax.Array:
        """Logits [..., V], float32 or better, of hidden states [..., D]."""
        kernel, vocab_axis = self.output_matrix()
        axes: list[str | None] = [None, None]
        axes[vocab_axis] = "vocab"
        logits = jax.lax.dot_general(
            hidden,
            self.constrain(kernel, tuple(axes)).astype(hidden.dtype),
            (((hidden.ndim - 1,), (1 - vocab_axis,)), ((), ())),
            preferred_element_type=stats_dtype(hidden.dtype),
        )
        logits = self.constrain(logits, ("batch", *(None,) * (hidden.ndim - 2), "vocab"))
        scaling = self.config.logits_scaling
        return logits if scaling == 1 else logits / scaling

    def output_matrix(self) -> tuple[jax.Array, int]:
        """The matrix that makes logits, [V, D] or [D, V], and which axis the vocabulary is.

        Logits are its products with hidden states, divided by `config.logits_scaling`.
        """
        if self.config.tie_embeddings:
            return self.embed_tokens[...], 0
        return self.lm_head.kernel[...], 1

    def unstacked(self, positions: int) -> Unrolled:
        """The blocks one by one, each with arrays of its own, for many short passes.

        A loop over stacked layers has to cut each layer out of the stack before it is used. Where
        that is a copy, as on CPU, short passes had better cut once and run the list. As each layer
        is copied anyway, its weights are `Turned`. Cosines and sines are looked up, since XLA on
        CPU would compute them anew wherever a layer turns something by them.

        Args:
            positions: More than any that will come.
        """
        graph, stacked = nnx.split(self.layers)
        layers = (jax.tree.map(lambda x, i=i: x[i], stacked) for i in range(self.config.num_layers))
        blocks = [nnx.merge(graph, layer) for layer in layers]
        for block in blocks:
            block.turn()
        dtype = stats_dtype(self.compute_dtype)
        cos, sin = angles(self.config, jnp.arange(positions)[None], dtype=dtype)
        return Unrolled(blocks, cos[0], sin[0])

    def _embed(self, tokens: jax.Array) -> jax.Array:
        # A table that is split along its width gives vectors split alike. Named here, they change
        # into split rows by one exchange; the compiler by itself would make them whole in between.
        vectors = self.embed_tokens[...][tokens].astype(self.compute_dtype)
        scale = self.config.embedding_scale
        vectors = vectors if scale == 1 else scale * vectors
        return self._rows(self.constrain(vectors, ("replica", None, "embed")))

    def _rows(self, stream: jax.Array) -> jax.Array:
        return self.constrain(stream, ("batch", None, None))

    def _run(self, x: jax.Array, cos: jax.Array, sin: jax.Array, mask: jax.Array) -> jax.Array:
        graph, stacked = nnx.split(self.layers)

        def body(x: jax.Array, params: Any) -> tuple[jax.Array, None]:
            block = nnx.merge(graph, params)
            q, k, v = block.project(x, cos, sin)
            return block.finish(x, self.attend(q, k, v, mask), self._rows), None

        return jax.lax.scan(_rematerialised(body, self.remat), x, stacked)[0]

    def _continue(
        self,
        x: jax.Array,
        cos: jax.Array,
        sin: jax.Array,
        valid: jax.Array,
        cache: KVCache,
        unrolled: Unrolled | None,
    ) -> tuple[jax.Array, KVCache]:
        start = cache.index
        seen = jax.lax.dynamic_update_slice(cache.valid, valid, (0, start))
        mask = _cached_mask(seen, start, x.shape[1])
        if unrolled is None:
            x, keys, values = self._run_cached(x, cos, sin, mask, cache)
        else:
            x, keys, values = self._run_unrolled(x, cos, sin, mask, cache, unrolled.blocks)
        return x, KVCache(keys, values, seen, start + valid.shape[1], cache.past)

    def _run_cached(
        self, x: jax.Array, cos: jax.Array, sin: jax.Array, mask: jax.Array, cache: KVCache
    ) -> tuple[jax.Array, Any, Any]:
        graph, stacked = nnx.split(self.layers)
        start = cache.index

        # The cache is carried, not scanned over, so that a step writes the new slots in place
        # instead of copying every layer's keys and values out and back.
        def body(carry: tuple, scanned: tuple) -> tuple[tuple, None]:
            x, keys, values = carry
            layer, params, past = scanned
            block = nnx.merge(graph, params)
            q, k, v = block.project(x, cos, sin)
            keys, own_k = _write(keys, k, (layer, 0, 0, 0, start))
            values, own_v = _write(values, v, (layer, 0, 0, start, 0))
            attended = attend(q, own_k, own_v, mask, past=past)
            return (block.finish(x, attended, self._rows), keys, values), None

        count = jnp.arange(self.config.num_layers)
        carry = (x, cache.keys, cache.values)
        past = None
        if cache.past is not None:
            valid = jnp.broadcast_to(cache.past.valid, (len(count), *cache.past.valid.shape))
            keys: Any = cache.past.keys  # Stacked, as the layers are.
            values: Any = cache.past.values
            past = Past(keys, values, valid)
        return jax.lax.scan(body, carry, (count, stacked, past))[0]

    def _run_unrolled(
        self,
        x: jax.Array,
        cos: jax.Array,
        sin: jax.Array,
        mask: jax.Array,
        cache: KVCache,
        blocks: list[Block],
    ) -> tuple[jax.Array, Any, Any]:
        all_keys, all_values = [], []
        pasts: list[Past | None] = [None] * len(blocks)
        if cache.past is not None:
            stores = zip(cache.past.keys, cache.past.values, strict=True)
            pasts = [Past(keys, values, cache.past.valid) for keys, values in stores]
        layers = zip(blocks, cache.keys, cache.values, pasts, strict=True)
        for block, keys, values, past in layers:
            q, k, v = block.project(x, cos, sin)
            keys = _put(keys, k, (0, 0, 0, cache.index))
            values = _put(values, v, (0, 0, cache.index, 0))
            x = block.finish(x, attend(q, keys, values, mask, past=past), self._rows)
            all_keys.append(keys)
            all_values.append(values)
        return x, tuple(all_keys), tuple(all_values)


def _stacked_blocks(config: ModelConfig, rngs: nnx.Rngs, **dtypes: DTypeLike) -> Block:
    @nnx.split_rngs(splits=config.num_layers)
    @nnx.vmap
    def create(rngs: nnx.Rngs) -> Block:
        return Block(config, rngs=rngs, **dtypes)

    return create(rngs)


def count_positions(valid: jax.Array) -> jax.Array:
    """Valid tokens before each one in its row, 0 on leading padding: [B, S] bool -> int32."""
    return jnp.maximum(jnp.cumsum(valid, axis=1, dtype=jnp.int32) - 1, 0)


def begins(segments: jax.Array) -> jax.Array:
    """Whether a token is the first of its segment: [B, S] int32 -> bool."""
    return segments != jnp.pad(segments[:, :-1], ((0, 0), (1, 0)), constant_values=-1)


def _positions(valid: jax.Array, segments: jax.Array | None) -> jax.Array:
    """Place of each token inside its row, or inside its segment where rows have several."""
    if segments is None:
        return count_positions(valid)
    columns = jnp.arange(segments.shape[1], dtype=jnp.int32)[None]
    return columns - jax.lax.cummax(jnp.where(begins(segments), columns, 0), axis=1)


def _causal_mask(valid: jax.Array, segments: jax.Array | None = None) -> jax.Array:
    length = valid.shape[1]
    mask = jnp.tril(jnp.ones((length, length), bool))[None] & valid[:, None, :]
    return mask if segments is None else mask & (segments[:, :, None] == segments[:, None, :])


def _cached_mask(seen: jax.Array, start: jax.Array, length: int) -> jax.Array:
    """[B, S, slots]: valid slots at or before the one each new token is written to."""
    own = start + jnp.arange(length, dtype=start.dtype)
    slots = jnp.arange(seen.shape[1], dtype=start.dtype)
    return (slots[None, :] <= own[:, None])[None] & seen[:, None, :]


def _write(
    store: jax.Array, new: jax.Array, place: tuple[jax.Array | int, ...]
) -> tuple[jax.Array, jax.Array]:
    """Puts the new slots of one layer into the store; the store, and that layer of it."""
    store = _put(store, new[None], place)
    return store, jax.lax.dynamic_index_in_dim(store, place[0], 0, keepdims=False)


def _put(store: jax.Array, new: jax.Array, place: tuple[jax.Array | int, ...]) -> jax.Array:
    return jax.lax.dynamic_update_slice(store, new.astype(store.dtype), place)


def _rematerialised(body: Callable, remat: Remat) -> Callable:
    if remat == "none":
        return body
    policy = jax.checkpoint_policies.dots_with_no_batch_dims_saveable if remat == "dots" else None
    # Inside a scan the loop itself keeps XLA from merging the two passes.
    return jax.checkpoint(body, policy=policy, prevent_cse=False)
