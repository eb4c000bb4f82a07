"""Tunix's sampler on its Llama model, served to a contest.

Its prompts are text, of which it makes the same ids; each stands once for every completion, which
is how its GRPO learner asks. The cache is as small as it takes.
"""

import jax.numpy as jnp
import numpy as np
from serve import serve
from transformers import AutoTokenizer
from tunix.generate.sampler import CacheConfig, Sampler
from tunix_model import load


def open_task(task):
    """Load the model; a run completes all prompts once."""
    model = load(task["folder"], jnp.dtype(task["dtype"]))
    tokenizer = AutoTokenizer.from_pretrained(task["folder"])
    width, config = task["width"], model.config
    cache = CacheConfig(
        width + task["length"], config.num_layers, config.num_kv_heads, config.head_dim
    )
    sampler = Sampler(model, tokenizer, cache)
    check(sampler, task)
    texts = [text for text in task["texts"] for _ in range(task["group_size"])]

    def run(seed, warming=False):
        out = sampler(
            texts, max_generation_steps=task["length"], max_prompt_length=width, temperature=1.0,
            top_p=1.0, top_k=None, seed=seed,
            eos_tokens=task["stop_ids"] or [-1],  # None would mean the tokenizer's own.
        )  # fmt: skip
        # Its rows end before the token that stopped them, which was computed all the same.
        return {"lengths": [min(len(row) + 1, task["length"]) for row in out.tokens]}

    return run


def check(sampler, task):
    """Refuse to run on other prompts than everybody's."""
    for text, row, mask in zip(task["texts"], task["tokens"], task["mask"], strict=True):
        ids = np.array(row)[np.array(mask, bool)]
        assert np.array_equal(sampler.tokenize(text), ids), (text, sampler.tokenize(text), ids)


serve(open_task)
