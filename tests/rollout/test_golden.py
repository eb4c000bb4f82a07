"""Greedy decoding of the golden tiny checkpoints, token for token."""

import os
from pathlib import Path

import jax
import numpy as np
import pytest

from sage_jax import models
from sage_jax.rollout import Decoding, completion_ids, generate, pack_prompts

GOLDEN = Path(os.environ.get("SAGE_GOLDEN_DIR", Path(__file__).parents[1] / "golden"))
FOLDERS = sorted(path.parent for path in GOLDEN.glob("tiny_*/expected.npz"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_greedy_continuations(folder):
    expected = np.load(folder / "expected.npz")
    prompts = [
        row[:length].tolist()
        for row, length in zip(expected["input_ids"], expected["lengths"], strict=True)
    ]
    loaded = models.load(folder)
    packed = pack_prompts(prompts, max_prompt_length=max(map(len, prompts)), pad_id=0)
    rollout = generate(
        loaded.graphdef,
        loaded.params,
        packed.tokens,
        packed.mask,
        jax.random.key(0),
        Decoding(max_completion_length=expected["greedy"].shape[1], temperature=0.0),
    )
    assert completion_ids(rollout) == [row[row >= 0].tolist() for row in expected["greedy"]]


def test_there_are_golden_checkpoints():
    assert FOLDERS
