"""Gemma, the first: embeddings times sqrt(D), norms times 1 + w, a GELU in the MLP."""

import jax

from sage_jax.models.family import Family


def gelu_tanh(x: jax.Array) -> jax.Array:
    """GELU with tanh in the place of the error function (Hendrycks and Gimpel, 2016)."""
    return jax.nn.gelu(x, approximate=True)


FAMILY = Family(
    architecture="GemmaForCausalLM",
    activation=gelu_tanh,
    # Published configs say "gelu" and mean this.
    activation_names=("gelu_pytorch_tanh", "gelu"),
    norm_offset=1.0,
    scaled_embeddings=True,
    defaults={
        "num_key_value_heads": 16,
        "head_dim": 256,
        "hidden_act": "gelu_pytorch_tanh",
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
    },
    template={"attention_bias": False},
)
