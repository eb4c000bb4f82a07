"""A tiny Qwen2 with a byte tokenizer and a chat template, in Hugging Face's format."""

import jax
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as cores
from transformers import PreTrainedTokenizerFast

from sage_jax import models

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def save(folder, *, max_positions=96):
    """Write the model into a folder and return it."""
    specials = ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(cores.BPE({t: i for i, t in enumerate([*specials, *alphabet])}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[attr-defined]
    core.decoder = decoders.ByteLevel()  # type: ignore[attr-defined]
    core.add_special_tokens(specials)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|end|>")
    tokenizer.chat_template = TEMPLATE
    config = models.ModelConfig(
        family="qwen2", vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48,
        num_layers=2, num_heads=4, num_kv_heads=2, head_dim=8, eos_ids=(3,),
        max_positions=max_positions,
    )  # fmt: skip
    _, params = models.init(config, jax.random.key(0))
    models.save_hf(folder, config, params, tokenizer)
    return folder
