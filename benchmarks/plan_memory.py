"""What `sage-jax plan` says of memory beside what a run then takes, on CPU devices.

    python benchmarks/plan_memory.py                 # 1 and 8 devices, a table
    python benchmarks/plan_memory.py --devices 8     # JSON of one

Every number of devices is a process of its own. Arguments are compared with the live arrays on one
device; temporaries and new outputs with the growth of the process's resident memory while the step
runs, over the number of devices, which share the process.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "name": "plan_memory",
    "model": {
        "source": "random",
        "remat": "full",
        "architecture": {
            "hidden_size": 768, "intermediate_size": 2048, "num_layers": 12, "num_heads": 12,
            "num_kv_heads": 4,
        },
    },
    "task": {"use": "brackets"},
    "rollout": {
        "num_prompts": 64, "group_size": 8, "max_prompt_length": 6, "max_completion_length": 8,
    },
    "warmup": {"steps": 1, "batch_size": 64},
    "eval": {"batch_prompts": 64},
    "mesh": {"data": 1, "fsdp": -1},
}  # fmt: skip
MIB = 2**20


def main() -> None:
    """Print the table, or one number of devices as JSON."""
    parser = argparse.ArgumentParser(description="Planned and measured memory.")
    parser.add_argument("--devices", type=int, default=0)
    devices = parser.parse_args().devices
    if devices:
        print(json.dumps(measure(devices)))
        return
    print("| devices | step | given, plan | given, live | new, plan | new, measured |")
    print("| --- | --- | --- | --- | --- | --- |")
    for count in (1, 8):
        for name, row in run(count).items():
            cells = " | ".join(f"{size / MIB:.1f} MiB" for size in row)
            print(f"| {count} | {name} | {cells} |")


def run(devices: int) -> dict[str, list[float]]:
    """Measure in a process of its own, whose allocator gives large blocks back at once."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_TRIM_THRESHOLD_": "0",
    }
    command = [sys.executable, __file__, "--devices", str(devices)]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True,
                                     text=True).stdout.splitlines()[-1])  # fmt: skip


def measure(devices: int) -> dict[str, list[float]]:
    """Bytes per device by step: given by plan and live, new by plan and measured."""
    import jax

    from sage_jax import config as configs
    from sage_jax import setup
    from sage_jax.plan import memory
    from sage_jax.plan.abstract import open_abstract, programs

    config = configs.parse(CONFIG)
    run = open_abstract(config, jax.devices())
    base = setup.open_random(config, jax.random.key(0))
    learner, state = setup.start(config, base, jax.random.key(1))
    del base
    rows, compiled = {}, {}
    for name, make in programs(run):
        program = make(compiled)
        compiled[name] = program.function.lower(*program.arguments).compile()
        planned = memory.of_compiled(compiled[name], "cpu")
        batch = _filled(program.batch)
        first = state if name == "update" else state.trained
        given = (first, learner.frozen, *batch)
        live = _used(compiled[name], given)
        before = _resident()
        out = jax.block_until_ready(compiled[name](*given))
        after = _peak()
        if name == "update":
            state = out[0]
        new = planned.outputs - planned.aliased + planned.temporaries
        rows[name] = [planned.arguments, live, new, (after - before) / devices]
    return rows


def _used(compiled: Any, given: Any) -> int:
    """Bytes on the first device of the arguments that the compiled step reads."""
    import jax
    import jax.numpy as jnp

    leaves, structure = jax.tree.flatten(given)
    read = structure.flatten_up_to(compiled.input_shardings[0])
    first, total = jax.devices()[0], 0
    for array, sharding in zip(leaves, read, strict=True):
        if sharding is None:
            continue
        if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
            array = jax.random.key_data(array)
        total += sum(s.data.nbytes for s in array.addressable_shards if s.device == first)
    return total


def _filled(shapes: Any) -> Any:
    """Arrays of the given shapes and shardings, ones throughout."""
    import jax
    import jax.numpy as jnp

    def one(x: Any) -> Any:
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.device_put(jax.random.key(0), x.sharding)
        return jax.device_put(jnp.ones(x.shape, x.dtype), x.sharding)

    return jax.tree.map(one, shapes)


def _resident() -> int:
    """Resident bytes now; the peak starts anew from here."""
    import ctypes
    import gc

    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024


if __name__ == "__main__":
    main()
