"""A Llama model of Tunix from a folder in Hugging Face's format."""

import json
from pathlib import Path

import jax.numpy as jnp
from tunix.models.llama3 import model as llama
from tunix.models.llama3 import params


def load(folder, dtype=jnp.float32, mesh=None):
    """The model in `dtype`.

    Version 0.1.7 leaves `rope_theta` of its config unread and always rotates by 1e6; here it is
    set to the model's own, so that what is written is this model's text.
    """
    hf = json.loads((Path(folder) / "config.json").read_text())
    llama.apply_rope.__defaults__ = (hf["rope_theta"],)
    config = llama.ModelConfig(
        num_layers=hf["num_hidden_layers"], vocab_size=hf["vocab_size"],
        embed_dim=hf["hidden_size"], hidden_dim=hf["intermediate_size"],
        num_heads=hf["num_attention_heads"], head_dim=hf["head_dim"],
        num_kv_heads=hf["num_key_value_heads"], rope_theta=hf["rope_theta"],
        norm_eps=hf["rms_norm_eps"], weight_tying=hf["tie_word_embeddings"],
    )  # fmt: skip
    return params.create_model_from_safe_tensors(str(folder), config, mesh=mesh, dtype=dtype)
