"""OLMo 2: norms after attention and MLP, and over all queries and all keys of a token."""

from sage_jax.models.family import Family

FAMILY = Family(
    architecture="Olmo2ForCausalLM",
    norms=("after",),
    qk_norm="token",
    defaults={"max_position_embeddings": 2048, "rms_norm_eps": 1e-5},
    template={"attention_bias": False},
    tensors={
        "model.layers.*.attention_out_norm": "model.layers.*.post_attention_layernorm",
        "model.layers.*.mlp_out_norm": "model.layers.*.post_feedforward_layernorm",
    },
)
