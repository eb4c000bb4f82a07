#!/usr/bin/env bash
# What a user of the wheel has: source archive and wheel are built, the wheel is installed into an empty
# environment, and there, in an empty folder, the quickstart runs for a few steps.
#   bash launch/test_wheel.sh
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=launch/environment.sh
source launch/environment.sh
# What lies here, or in a folder of data, is not there for a user of the wheel.
unset PYTHONPATH SAGE_DATA_DIR
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT

python=$(find_python)
"$python" -m venv "$home/tools"
"$home/tools/bin/python" -m pip install --quiet --disable-pip-version-check build==1.6.1
"$home/tools/bin/python" -m build --outdir "$home/dist" . > "$home/build.txt" 2>&1 ||
  { cat "$home/build.txt"; exit 1; }

"$python" -m venv "$home/empty"
"$home/empty/bin/python" -m pip install --quiet --disable-pip-version-check \
  --constraint launch/constraints.txt "$home"/dist/*.whl
mkdir "$home/folder"
cd "$home/folder"
PATH=$home/empty/bin:$PATH
JAX_PLATFORMS=cpu sage-jax quickstart --warmup.steps 40 --warmup.min_pass1 0 --train.steps 3 \
  --train.eval_every 3 --eval.num_problems 32 --eval.num_samples 16 > "$home/quickstart.txt" ||
  { cat "$home/quickstart.txt"; exit 1; }
test -s runs/quickstart/report/index.html
test -s runs/quickstart/report/entropies.png
sage-jax parts guide gated > /dev/null
echo "wheel: $(cd "$home/dist" && echo *)"
