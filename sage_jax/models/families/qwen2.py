"""Qwen 1.5, 2 and 2.5: Llama with biases on queries, keys and values."""

from sage_jax.models.family import Family

FAMILY = Family(
    architecture="Qwen2ForCausalLM",
    attention_bias=True,
    defaults={"num_key_value_heads": 32, "max_position_embeddings": 32768},
    template={"use_sliding_window": False, "sliding_window": None},
    # A window is off unless use_sliding_window says otherwise. The biases are not optional, and
    # some published configs say that they are not there.
    ignored=("sliding_window", "attention_bias"),
    gguf_rows="plain",
)
