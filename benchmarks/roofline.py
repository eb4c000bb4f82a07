"""How close each phase of a step comes to what this machine can do.

    python benchmarks/roofline.py                                       # SmolLM2-135M, CPU
    python benchmarks/roofline.py --shape qwen-1.5b --dtype bfloat16 --prompts 32 --micro-batch 32

Measures the rate of matrix products and of memory, then prefill, decode (all rows to full length),
score and update, each beside the shortest time that its FLOPs and bytes allow at those rates
(`work.py` says what is counted). For the update the share of the limit of matrix products is its
model FLOPs utilisation. --peak-tflops and --peak-gbs put a data sheet's rates in place of measured.
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import results
import work
from phases import Phases, timed
from shapes import SHAPES


def main() -> None:
    """Measure, and write benchmarks/results/roofline_SHAPE_DTYPE[_ATTENTION].{json,md}."""
    parser = _parser()
    options = parser.parse_args()
    sizes = work.Sizes(
        options.prompts, options.group, options.prompt_length, options.length,
        item=jnp.dtype(options.dtype).itemsize, adapters=options.lora,
    )  # fmt: skip
    rates = measure_rates(options)
    phases = Phases(
        SHAPES[options.shape], sizes, options.dtype, options.micro_batch, options.remat,
        options.attention,
    )  # fmt: skip
    seconds = phases.seconds(options.rounds)
    figures = {"task": vars(options), "rates": rates, "seconds": seconds}
    figures["phases"] = {
        name: report(of(SHAPES[options.shape], sizes), seconds[name], rates, options)
        for name, of in work.PHASES.items()
    }
    command = results.command(options, parser.parse_args([]), "roofline.py")
    name = f"roofline_{options.shape}_{options.dtype}"
    name += "" if options.attention == "plain" else f"_{options.attention}"
    results.write(name, command, figures, as_table(figures, sizes))


def measure_rates(options: Any) -> dict[str, float]:
    """FLOPs a second of matrix products in both dtypes, and bytes a second of memory."""
    found = {dtype: matmul_rate(dtype, options.matmul_size) for dtype in ("float32", "bfloat16")}
    found["bytes"] = memory_rate(options.array_mb)
    return found


def matmul_rate(dtype: str, size: int) -> float:
    """The best of several shapes, in FLOPs a second: squares, and a batch of rows."""
    best = 0.0
    for rows in (size, size // 2, size // 8):
        a, b = jnp.ones((rows, size), dtype), jnp.ones((size, size), dtype)
        multiply = jax.jit(lambda a, b: a @ b)
        (seconds,) = timed([lambda f=multiply, a=a, b=b: f(a, b)], 5)
        best = max(best, 2.0 * rows * size * size / min(seconds))
    return best


def memory_rate(megabytes: int) -> float:
    """The best of copying, adding and summing large arrays, in bytes a second."""
    x, y = jnp.ones((2, megabytes * 2**18), jnp.float32)
    programs = {
        2: jax.jit(lambda x: x + 1.0),
        3: jax.jit(lambda x: x + 2.0 * y),
        1: jax.jit(jnp.sum),
    }
    rates = []
    for arrays, program in programs.items():
        (seconds,) = timed([lambda f=program: f(x)], 5)
        rates.append(arrays * x.nbytes / min(seconds))
    return max(rates)


def report(asked: work.Work, seconds: list[float], rates: Any, options: Any) -> dict[str, Any]:
    """One phase: what it takes, what bounds it, and how close it comes."""
    flop_rate = options.peak_tflops * 1e12 or rates[options.dtype]
    byte_rate = options.peak_gbs * 1e9 or rates["bytes"]
    best, median = asked.seconds(flop_rate, byte_rate), results.median(seconds)
    return {
        "flops": asked.flops, "bytes": asked.moved, "limit": asked.limit(flop_rate, byte_rate),
        "limit_seconds": best, "seconds": median, "share": best / median,
        "share_of_matmul": asked.flops / flop_rate / median,
        "share_of_memory": asked.moved / byte_rate / median,
    }  # fmt: skip


def as_table(figures: dict[str, Any], sizes: work.Sizes) -> str:
    """A row for each phase, the measured rates above."""
    rates = figures["rates"]
    said = (
        f"Matrix products {rates['float32'] / 1e9:.0f} GFLOP/s in float32, "
        f"{rates['bfloat16'] / 1e9:.0f} in bfloat16; memory {rates['bytes'] / 1e9:.1f} GB/s. "
        f"{sizes.rows} rows, prompts of {sizes.prompt_length}, {sizes.length} new tokens; decoding "
        f"{sizes.rows * (sizes.length - 1) / figures['phases']['decode']['seconds']:.0f} tokens/s."
    )
    head = ("phase", "GFLOP", "GB", "limit", "seconds at the limit", "seconds", "share",
            "of matmul", "of memory")  # fmt: skip
    rows = [
        [name, f"{of['flops'] / 1e9:.1f}", f"{of['bytes'] / 1e9:.2f}", of["limit"],
         f"{of['limit_seconds']:.4f}", f"{of['seconds']:.4f}", f"{of['share']:.0%}",
         f"{of['share_of_matmul']:.0%}", f"{of['share_of_memory']:.0%}"]
        for name, of in figures["phases"].items()
    ]  # fmt: skip
    return f"{said}\n\n{results.table(head, rows)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Phases as shares of the machine's limits.")
    parser.add_argument("--shape", choices=tuple(SHAPES), default="smollm2")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--prompt-length", type=int, default=64)
    parser.add_argument("--length", type=int, default=128, help="new tokens of each row")
    parser.add_argument("--micro-batch", type=int, default=8, help="rows a pass; 0 is all")
    parser.add_argument("--lora", action="store_true", help="train adapters of rank 8 only")
    parser.add_argument("--remat", choices=("none", "dots", "full"), default="dots")
    parser.add_argument("--attention", choices=("plain", "splash", "cudnn"), default="plain")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--matmul-size", type=int, default=2048)
    parser.add_argument("--array-mb", type=int, default=256)
    parser.add_argument("--peak-tflops", type=float, default=0.0)
    parser.add_argument("--peak-gbs", type=float, default=0.0)
    return parser


if __name__ == "__main__":
    main()
