"""Whether a replica with long answers keeps the others computing.

python benchmarks/replicas.py

Two fake devices of one CPU, a replica on each. All rows of the second write T tokens; those of the
first stop at their first token, or write as many. Were the replicas to decode in step, both would
cost the same. Compared is the processor's time of all threads, which other work hardly changes.
"""

import argparse
import os

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import functools
import time

import jax
import numpy as np
import results

from sage_jax import models, parallel
from sage_jax.rollout import Rollout, generate

ROWS, PROMPT = 4, 8
KNOBS = {"group_size": 8, "temperature": 0.0, "pad_id": 0}


def main() -> None:
    """Take turns, and write benchmarks/results/replicas.{json,md}."""
    parser = argparse.ArgumentParser(description="Replicas that decode independently.")
    parser.add_argument("--length", type=int, default=256, help="new tokens at most, T")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cases = {"one replica stops at once": True, "both go on": False}
    seconds = race(make_runs(options.length, cases), options.rounds)
    share = results.ratio(*seconds.values())
    rows = [[name, f"{results.median(of):.2f}"] for name, of in seconds.items()]
    text = results.table(("rows", "processor seconds"), rows)
    command = results.command(options, parser.parse_args([]), "replicas.py")
    figures = {"processor_seconds": seconds, "ratio": share}
    results.write("replicas", command, figures, text + f"\n\nRatio {results.shard(share)}.")


def make_runs(length: int, cases: dict[str, bool]) -> dict:
    """A rollout for each case, compiled, and seen to write what it should."""
    mesh = parallel.make_mesh(data=2)
    config = models.ModelConfig(
        family="llama", vocab_size=512, hidden_size=256, intermediate_size=1024, num_layers=4,
        num_heads=8, num_kv_heads=8, head_dim=32, max_positions=PROMPT + length,
    )  # fmt: skip
    graphdef, params = models.init(config, jax.random.key(0))
    # A random model repeats what it began with; these weights let one prompt differ from another.
    params = jax.tree.map(lambda x: 3 * x, params)
    roll = functools.partial(generate, graphdef, params, max_completion_length=length, mesh=mesh,
                             key=jax.random.key(1), prompt_mask=np.ones((ROWS, PROMPT), bool),
                             **KNOBS)  # fmt: skip
    long = _prompts(1, 1)
    short, stop = _stopping(roll, long)
    made = {}
    for name, one_stops in cases.items():
        first = short if one_stops else long
        prompts = np.concatenate([first[: ROWS // 2], long[: ROWS // 2]])
        made[name] = functools.partial(roll, prompts, stop_ids=(stop,))
        lengths = np.asarray(_ended(made[name]()).mask).sum(axis=1).reshape(2, -1)
        expected = [[1 if one_stops else length], [length]]
        if not (lengths == expected).all():
            raise SystemExit(f"{name}: rows of {lengths.tolist()} tokens")
    return made


def _prompts(first: int, last: int) -> np.ndarray:
    """The same prompt in every row."""
    return np.tile(np.linspace(first, last, PROMPT).astype(np.int32), (ROWS, 1))


def _first_token(roll, prompts: np.ndarray) -> int:
    return int(_ended(roll(prompts, stop_ids=(), max_completion_length=1)).tokens[0, 0])


def _stopping(roll, long: np.ndarray) -> tuple[np.ndarray, int]:
    """A prompt whose first token the long rows never write, and that token."""
    written = set(np.asarray(_ended(roll(long, stop_ids=())).tokens).ravel().tolist())
    for start in range(2, 500):
        short = _prompts(start, 511 - start)
        if (token := _first_token(roll, short)) not in written:
            return short, token
    raise SystemExit("no prompt begins with a token that the long rows do not write")


def _ended(rollout: Rollout) -> Rollout:
    return jax.block_until_ready(rollout)


def race(runs: dict, rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each case, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begun = time.process_time()
            _ended(run())
            seconds[name].append(time.process_time() - begun)
    return seconds


if __name__ == "__main__":
    main()
