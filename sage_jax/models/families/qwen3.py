"""Qwen 3: Llama with norms on queries and keys, and heads of their own width."""

from sage_jax.models.family import Family

FAMILY = Family(
    architecture="Qwen3ForCausalLM",
    qk_norm="head",
    defaults={"num_key_value_heads": 32, "head_dim": 128, "max_position_embeddings": 32768},
    template={"use_sliding_window": False, "sliding_window": None, "attention_bias": False},
    # Off unless use_sliding_window says otherwise.
    ignored=("sliding_window",),
    gguf_rows="plain",
)
