"""Runs that are killed at random moments: `benchmarks/kills.py` with a few kills."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_killed_runs_end_with_the_bits_of_an_undisturbed_one():
    command = [sys.executable, ROOT / "benchmarks" / "kills.py", "--kills", "6", "--steps", "20"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"kills": 6' in done.stdout
