"""How fast products of few rows are by each library that XLA can call on CPU.

    python benchmarks/products.py

All products with the weights of SmolLM2-135M's 30 layers, one after the other, as decoding takes
them (`models.layers.Turned`). The libraries take turns, each in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import results

# fmt: off
FLAGS = {
    "Eigen (XLA's choice)": "",
    "XNNPACK": "--xla_cpu_experimental_xnn_fusion_type=LIBRARY_FUSION_TYPE_DOT",
    "YNNPACK": "--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
    "oneDNN": "--xla_cpu_experimental_onednn_fusion_type=LIBRARY_FUSION_TYPE_DOT",
}
# fmt: on
ROWS = (8, 32, 64, 512)
LAYERS, WIDTH, QKV, MIDDLE = 30, 576, 960, 1536
SHAPES = ((WIDTH, QKV), (WIDTH, WIDTH), (WIDTH, 2 * MIDDLE), (MIDDLE, WIDTH))


def main() -> None:
    """Take turns, and write benchmarks/results/products.{json,md}."""
    parser = argparse.ArgumentParser(description="Products of few rows by library.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", action="store_true", help="time what XLA_FLAGS says, once")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(rates()))
        return
    found = {name: [] for name in FLAGS}
    for _ in range(options.rounds):
        for name, flags in FLAGS.items():
            found[name].append(_elsewhere(flags))
    lines = [[name, *(_cell([one[str(n)] for one in of]) for n in ROWS)]
             for name, of in found.items()]  # fmt: skip
    head = ("GFLOP/s, median (min to max)", *(f"{n} rows" for n in ROWS))
    command = results.command(options, parser.parse_args([]), "products.py")
    results.write("products", command, {"gflop_per_s": found}, results.table(head, lines))


def _elsewhere(flags: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--here"]
    said = subprocess.run(
        command, env=os.environ | {"XLA_FLAGS": flags}, check=True, capture_output=True, text=True
    )
    return json.loads(said.stdout.splitlines()[-1])


def _cell(rates: list[float]) -> str:
    return f"{results.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"


def rates(times: int = 15) -> dict[int, float]:
    """GFLOP/s by rows: the median of some passes."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from sage_jax.models.layers import Linear, Turned

    def turned(shape: tuple[int, int]) -> Turned:
        options = {"use_bias": False, "compute_dtype": jnp.float32, "param_dtype": jnp.float32}
        return Turned(Linear(*shape, **options, rngs=nnx.Rngs(0)))

    graphdef, params = nnx.split(nnx.List([nnx.List(map(turned, SHAPES)) for _ in range(LAYERS)]))

    @jax.jit
    def layers(params, x):
        for qkv, out, gate_up, down in nnx.merge(graphdef, params):
            x = x + out(qkv(x)[:, :WIDTH])
            gate, up = jnp.split(gate_up(x), 2, axis=-1)
            x = x + down(gate * up)
        return x

    def seconds(x: jax.Array) -> float:
        begun = time.perf_counter()
        layers(params, x).block_until_ready()
        return time.perf_counter() - begun

    flops = 2 * LAYERS * sum(a * b for a, b in SHAPES)
    found = {}
    for rows in ROWS:
        x = jnp.full((rows, WIDTH), 0.1)
        seconds(x)
        found[rows] = flops * rows / results.median([seconds(x) for _ in range(times)]) / 1e9
    return found


if __name__ == "__main__":
    main()
