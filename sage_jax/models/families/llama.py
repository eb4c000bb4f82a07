"""Llama 2 and 3, and what is built like them: SmolLM2, DeepSeek's distillates, many more."""

from sage_jax.models.family import Family

FAMILY = Family(
    architecture="LlamaForCausalLM",
    defaults={"max_position_embeddings": 2048},
    template={"attention_bias": False, "mlp_bias": False},
    gguf_rows="interleaved",
)
