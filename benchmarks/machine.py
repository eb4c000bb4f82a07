"""What machine this is, as a dict that goes into every result.

python benchmarks/machine.py
"""

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from peers.serve import versions


def machine() -> dict[str, object]:
    """Processor, cores that may be used, memory, load, and graphics processors."""
    return {
        "cpu": _first("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(_first("/proc/meminfo", "MemTotal").split()[0]) / 1e6, 1),
        "load": os.getloadavg()[0],
        "gpus": _gpus(),
        "system": platform.platform(),
    }


def _first(file: str, field: str) -> str:
    lines = Path(file).read_text().splitlines()
    return next((x.split(":")[1].strip() for x in lines if x.startswith(field)), "")


def _gpus() -> list[str]:
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[:-1]


if __name__ == "__main__":
    print(json.dumps({"machine": machine(), "versions": versions()}, indent=2))
