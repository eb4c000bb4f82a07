"""Granite 3 without experts: Llama with multipliers, after muP (Yang et al., 2022)."""

from sage_jax.models.family import Family

FAMILY = Family(
    architecture="GraniteForCausalLM",
    multipliers=(
        "embedding_multiplier",
        "residual_multiplier",
        "attention_multiplier",
        "logits_scaling",
    ),
    defaults={"max_position_embeddings": 2048},
    template={"attention_bias": False, "mlp_bias": False},
)
