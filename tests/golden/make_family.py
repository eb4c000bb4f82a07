"""Writes a tiny checkpoint of a family and what Transformers computes with it.

    python tests/golden/make_family.py gemma

It needs torch, which nothing else here does: run it in an environment of its own
(`pip install torch==2.13.0 transformers numpy safetensors`), from any folder.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import transformers

LENGTHS, WIDTH, STEPS = (40, 23, 9), 40, 24
SIZES: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 12,
    "max_position_embeddings": 128, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip
# What a family's own config says beside its sizes. Numbers are such that a mix-up would show.
OWN: dict[str, dict[str, Any]] = {
    "mistral": {"sliding_window": None, "tie_word_embeddings": False},
    "granite": {
        "embedding_multiplier": 2.5, "residual_multiplier": 0.6, "attention_multiplier": 0.4,
        "logits_scaling": 0.7, "tie_word_embeddings": False, "head_dim": 8,
    },
    "gemma": {"num_key_value_heads": 1, "tie_word_embeddings": True},
}  # fmt: skip


def make(family: str, folder: Path) -> None:
    import torch  # pyright: ignore[reportMissingImports]

    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **(SIZES | OWN[family]))
    model: Any = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    model = model.float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():  # Norms too, which begin constant.
            weight += torch.randn_like(weight) * (0.3 if "_proj" in name else 0.1)
        ids = torch.randint(2, config.vocab_size, (len(LENGTHS), WIDTH))
        valid = torch.arange(WIDTH)[None] < torch.tensor(LENGTHS)[:, None]
        ids = torch.where(valid, ids, 0)
        logits = model(input_ids=ids, attention_mask=valid.long()).logits
        logits = torch.where(valid[..., None], logits, 0.0)
        greedy = [continued(model, row[:n]) for row, n in zip(ids, LENGTHS, strict=True)]
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "model.safetensors").chmod(0o644)
    np.savez_compressed(
        folder / "expected.npz", input_ids=ids.numpy(), lengths=np.array(LENGTHS),
        logits=logits.numpy(), greedy=np.array(greedy),
    )  # fmt: skip


def continued(model: Any, prompt: Any) -> list[int]:
    """The likeliest tokens after a prompt, up to the end of sequence, then -1."""
    tokens = prompt.tolist()
    for _ in range(STEPS):
        logits = model(input_ids=prompt.new_tensor([tokens])).logits[0, -1]
        tokens.append(int(logits.argmax()))
        if tokens[-1] == model.config.eos_token_id:
            break
    own = tokens[len(prompt) :]
    return own + [-1] * (STEPS - len(own))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        make(name, Path(__file__).parent / f"tiny_{name}")
