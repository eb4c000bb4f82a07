#!/usr/bin/env bash
# What is exported, of each family, read by Transformers and PEFT on torch, which lie in an environment of
# their own: logits and greedy text are ours.
#   bash launch/test_exports.sh [FAMILY ...]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=launch/environment.sh
source launch/environment.sh
make_environment test
BENCH_PYTHON=${BENCH_PYTHON:-$PWD/.venv/bin/python} bash benchmarks/environment.sh peft

export JAX_PLATFORMS=cpu TPU_SKIP_MDS_QUERY=1
keep_compiled
python benchmarks/export_peers.py "$@"
