"""Mistral 7B from v0.2 on, Nemo and Small: Llama without a window (v0.1 has one)."""

from sage_jax.models.family import Family

FAMILY = Family(
    architecture="MistralForCausalLM",
    # A config that leaves the window out has one.
    defaults={"num_key_value_heads": 8, "max_position_embeddings": 131072, "sliding_window": 4096},
    template={"sliding_window": None},
)
