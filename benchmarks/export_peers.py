"""What is exported, read by Transformers and by PEFT on torch: logits and greedy text are equal.

    bash benchmarks/environment.sh peft
    python benchmarks/export_peers.py [--python PYTHON] [FAMILY ...]

Of each family a tiny random model with random adapters is written as `sage-jax export` writes one:
merged, and as an adapter beside its base. Ends with 1 where one of them is another model there.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from contest import ENVIRONMENTS, HERE

from sage_jax import config as configs
from sage_jax import models
from sage_jax.models.save import write_json
from sage_jax.run.exporting import generation

ROWS, LENGTH, STEPS = 3, 17, 12
RANK, ALPHA = 4, 8.0
BOUND = 1e-4
"""Of logits of size 1 to 10, in float32 by sums of another order."""
# Numbers are such that a mix-up would show.
OWN: dict[str, dict[str, Any]] = {
    "granite": {"embedding_multiplier": 2.5, "residual_multiplier": 0.6,
                "attention_multiplier": 0.4, "logits_scaling": 0.7},
    "gemma": {"num_kv_heads": 1, "tie_embeddings": True},
    "qwen3": {"head_dim": 12},
}  # fmt: skip


def make(family: str) -> tuple[models.ModelConfig, Any, Any, Any, Any]:
    """(config, plain graphdef, params, adapted graphdef, adapters), every array random."""
    sizes: dict[str, Any] = {
        "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_layers": 3,
        "num_heads": 4, "num_kv_heads": 2, "head_dim": 8, "max_positions": 128, "pad_id": 0,
        "eos_ids": (1,), "tie_embeddings": False,
    }  # fmt: skip
    config = models.ModelConfig(family=family, **(sizes | OWN.get(family, {})))
    graphdef, shapes = models.abstract(config)
    adapted, low = models.lora.attach(
        graphdef, shapes, jax.random.key(0), rank=RANK, alpha=ALPHA, targets="all-linear"
    )
    draw = np.random.default_rng(0)

    def random(x: Any) -> jax.Array:
        return jnp.asarray(0.3 * draw.normal(size=x.shape), jnp.float32)

    return config, graphdef, jax.tree.map(random, shapes), adapted, jax.tree.map(random, low)


def written(family: str, home: Path, tokens: np.ndarray) -> tuple[list[dict[str, Any]], Any]:
    """The cases that a family makes for the peer, and what they are to give."""
    config, _, params, adapted, adapters = make(family)
    base, merged, adapter = (home / family / kind for kind in ("base", "merged", "adapter"))
    models.save_hf(base, config, params)
    models.save_hf(
        merged, config, models.lora.fold(params, adapters, alpha=ALPHA), max_shard_bytes=20_000
    )
    sampling = generation(configs.load(HERE.parent / "configs" / "quickstart.yaml"), config)
    write_json(merged / "generation_config.json", sampling)
    adapter.mkdir()
    models.write_adapter(adapter, config, adapters, alpha=ALPHA, base=str(base))
    common = {"tokens": tokens.tolist(), "steps": STEPS}
    cases = [
        {"name": f"{family} merged", "folder": str(merged), "adapter": ""},
        {"name": f"{family} adapter", "folder": str(base), "adapter": str(adapter)},
    ]
    return [case | common for case in cases], own(adapted, (params, adapters), tokens)


def own(graphdef: Any, params: Any, tokens: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """Our logits of the tokens, and how they go on."""
    places = jnp.broadcast_to(jnp.arange(LENGTH + STEPS, dtype=jnp.int32), (ROWS, LENGTH + STEPS))

    @jax.jit
    def score(params: Any, rows: jax.Array, length: jax.Array) -> jax.Array:
        model = models.merge(graphdef, params)
        return model.unembed(model(rows, places, places < length)[0])

    rows = np.zeros((ROWS, LENGTH + STEPS), np.int32)
    rows[:, :LENGTH] = tokens
    first = np.asarray(score(params, jnp.asarray(rows), jnp.int32(LENGTH)))[:, :LENGTH]
    for place in range(LENGTH, LENGTH + STEPS):
        logits = np.asarray(score(params, jnp.asarray(rows), jnp.int32(place)))
        rows[:, place] = logits[:, place - 1].argmax(-1)
    return first, rows[:, LENGTH:].tolist()


def main() -> int:
    """Print a line for each family and form; 0 where all are equal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("families", nargs="*", default=models.family_names())
    parser.add_argument("--python", default=str(ENVIRONMENTS / "peft" / "bin" / "python"))
    options = parser.parse_args()
    tokens = np.random.default_rng(1).integers(2, 97, (ROWS, LENGTH))
    cases, wanted = [], {}
    with tempfile.TemporaryDirectory() as home:
        for family in options.families:
            made, known = written(family, Path(home), tokens)
            cases += made
            wanted |= {case["name"]: known for case in made}
        ran = subprocess.run(
            [options.python, str(HERE / "peers" / "transformers_export.py")], text=True,
            input="".join(json.dumps(case) + "\n" for case in cases), stdout=subprocess.PIPE,
        )  # fmt: skip
    answers = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    equal = [report(answer, *wanted[answer["name"]]) for answer in answers]
    return 0 if all(equal) and len(equal) == len(cases) else 1


def report(answer: dict[str, Any], logits: np.ndarray, greedy: list[list[int]]) -> bool:
    """Print how far one is from ours, and say whether it is equal."""
    apart = float(np.abs(np.array(answer["logits"]) - logits).max())
    same = answer["greedy"] == greedy
    size = float(np.abs(logits).max())
    print(f"{answer['name']:18} logits up to {size:.1f} differ by {apart:.1e}, "
          f"greedy {'the same' if same else 'DIFFERENT'}", flush=True)  # fmt: skip
    return apart <= BOUND * max(1.0, size / 10) and same


if __name__ == "__main__":
    sys.exit(main())
