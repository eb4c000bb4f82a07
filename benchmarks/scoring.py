"""Scoring tokens: all logits at once (log_softmax) against `sage_jax.models.token_logps`.

    python benchmarks/scoring.py
    python benchmarks/scoring.py --timed-tokens 8192 --dtype bfloat16     # on a GPU

Log-probabilities and entropies with their gradients with respect to hidden states and output
matrix. Peak temporary memory is what the compiler plans for --tokens, and takes no running; time is
measured for --timed-tokens, both in turn. Gradients of the two are compared before.
"""

import argparse
import time
from typing import Any

import jax
import jax.numpy as jnp
import results
from phases import one_device

from sage_jax import models


def main() -> None:
    """Measure, and write benchmarks/results/scoring.{json,md}."""
    parser = _parser()
    options = parser.parse_args()
    graphdef, params = _model(options)
    programs = {"naive": _program(graphdef, naive), "ours": _program(graphdef, ours)}
    memory = {
        name: program.lower(*_shapes(params, options)).compile().memory_analysis()
        for name, program in programs.items()
    }
    temporary = {name: plan.temp_size_in_bytes for name, plan in memory.items()}
    runs, difference = _times(programs, params, options)
    figures = {
        "task": vars(options), "temporary_bytes": temporary, "runs": runs,
        "largest_difference_of_gradients": difference,
        "memory_naive_over_ours": temporary["naive"] / temporary["ours"],
        "time_naive_over_ours": results.ratio(runs["naive"], runs["ours"]),
    }  # fmt: skip
    command = results.command(options, parser.parse_args([]), "scoring.py")
    results.write("scoring", command, figures, as_table(figures))


def naive(model: Any, hidden: jax.Array, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Log-probabilities and entropies from [B, T, V] logits, as one would write them."""
    logps = jax.nn.log_softmax(model.unembed(hidden), axis=-1)
    chosen = jnp.take_along_axis(logps, tokens[..., None], axis=-1)[..., 0]
    return chosen, -jnp.sum(jnp.exp(logps) * logps, axis=-1)


def ours(model: Any, hidden: jax.Array, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The project's own."""
    block_size = one_device(model.config.vocab_size).block_size(tokens.size)
    return models.token_logps(model, hidden, tokens, block_size=block_size)


def _program(graphdef: Any, score: Any) -> Any:
    """Jitted (params, hidden, tokens) -> gradients of a sum that uses both results."""

    def total(params, hidden, tokens):
        logps, entropies = score(models.merge(graphdef, params), hidden, tokens)
        return jnp.sum(logps) + 0.1 * jnp.sum(entropies)

    return jax.jit(jax.value_and_grad(total, argnums=(0, 1)))


def _model(options: Any) -> tuple[Any, Any]:
    """The smallest model of that width and vocabulary; only its output matrix is used."""
    shape = models.ModelConfig(
        vocab_size=options.vocab, hidden_size=options.width, intermediate_size=8, num_layers=1,
        num_heads=1, num_kv_heads=1, head_dim=2, tie_embeddings=True,
    )  # fmt: skip
    dtype = jnp.dtype(options.dtype)
    return models.init(shape, jax.random.key(0), compute_dtype=dtype, param_dtype=dtype)


def _shapes(params: Any, options: Any) -> tuple[Any, ...]:
    rows, length = options.rows, options.tokens // options.rows
    hidden = jax.ShapeDtypeStruct((rows, length, options.width), jnp.dtype(options.dtype))
    return params, hidden, jax.ShapeDtypeStruct((rows, length), jnp.int32)


def _times(programs: Any, params: Any, options: Any) -> tuple[dict[str, list[float]], float]:
    """Seconds of each program, in turn, and by how much their gradients differ at most."""
    rows, length = options.rows, options.timed_tokens // options.rows
    keys = jax.random.split(jax.random.key(1))
    hidden = jax.random.normal(keys[0], (rows, length, options.width), options.dtype)
    tokens = jax.random.randint(keys[1], (rows, length), 0, options.vocab)
    first = {name: program(params, hidden, tokens)[1][1] for name, program in programs.items()}
    difference = float(jnp.max(jnp.abs(first["naive"] - first["ours"])))
    runs: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(options.rounds):
        for name in list(programs)[:: 1 if number % 2 == 0 else -1]:
            begun = time.perf_counter()
            jax.block_until_ready(programs[name](params, hidden, tokens))
            runs[name].append(time.perf_counter() - begun)
    return runs, difference


def as_table(figures: dict[str, Any]) -> str:
    """Memory and time of both."""
    task, rows = figures["task"], []
    for name, size in figures["temporary_bytes"].items():
        seconds = results.median(figures["runs"][name])
        rows.append([name, f"{size / 2**20:.0f} MiB", f"{seconds:.3f}"])
    memory = f"{figures['memory_naive_over_ours']:.1f}"
    rows.append(["naive / ours", memory, results.shard(figures["time_naive_over_ours"])])
    head = ("", f"temporary memory, {task['tokens']} tokens",
            f"seconds, {task['timed_tokens']} tokens")  # fmt: skip
    return results.table(head, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Scoring, naive and ours.")
    parser.add_argument("--tokens", type=int, default=8192, help="whose memory is planned")
    parser.add_argument("--timed-tokens", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=8, help="that the tokens come in")
    parser.add_argument("--width", type=int, default=896)
    parser.add_argument("--vocab", type=int, default=151_936)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


if __name__ == "__main__":
    main()
