"""Prompts as text and as left-padded token ids, made once for all contestants."""

from pathlib import Path
from typing import Any

import numpy as np
from problems import INSTRUCTION, problems

from sage_jax import models
from sage_jax.data import problem, prompts
from sage_jax.models.load import folder_tokenizer
from sage_jax.rollout import pack_prompts

BUCKET = 16


def packed(folder: Path, count: int, length: int = 64) -> dict[str, Any]:
    """Parts of a task: `texts`, `tokens` [N, P], `mask` [N, P] and their `width` P.

    Args:
        folder: of the model; without a tokenizer prompts are random ids.
        count: N.
        length: P of random prompts; others take the longest, rounded up to 16.
    """
    tokenizer = folder_tokenizer(folder)
    if tokenizer is None:
        vocab = models.read_config(folder).vocab_size
        tokens = np.random.default_rng(0).integers(3, vocab, (count, length))
        mask = [[1] * length] * count
        return {"texts": [], "tokens": tokens.tolist(), "mask": mask, "width": length}
    texts = [text_of(tokenizer, row) for row in problems(count)]
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    longest = -(-max(map(len, rows)) // BUCKET) * BUCKET
    batch = pack_prompts(rows, max_prompt_length=longest, pad_id=tokenizer.pad_token_id or 0)
    return {
        "texts": texts, "tokens": batch.tokens.tolist(), "mask": batch.mask.astype(int).tolist(),
        "width": longest,
    }  # fmt: skip


def stops(tokenizer: Any) -> list[int]:
    """The end of a turn, a newline and two: what ends rows that are to be ragged."""
    said = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("\n", "\n\n")]
    return [tokenizer.eos_token_id, *(ids[0] for ids in said)]


def text_of(tokenizer: Any, row: dict[str, str]) -> str:
    """A problem in the tokenizer's chat template, as training writes it."""
    asked = problem.Problem(**row, solution="", source="benchmark")
    return prompts.render_text(tokenizer, asked, answer_instruction=INSTRUCTION)
