#!/usr/bin/env bash
# The whole test suite: lint, format, types, tests, and the site of the docs, strict. Needs nothing but Python 3.11 or newer.
#   bash launch/test.sh [PYTEST ARGUMENTS]
# SAGE_DATA_DIR names a folder of problem files, over which some tests then run in full.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=launch/environment.sh
source launch/environment.sh
make_environment test gguf hf docs tracking
add_smollm2

export JAX_PLATFORMS=cpu TPU_SKIP_MDS_QUERY=1
# Compiling is most of the time of a first run: programs are kept for the next, small ones too.
keep_compiled
echo "== lint"
ruff check .
ruff format --check .
# Types are looked at on one core while the tests begin.
pyright > .venv/types.txt 2>&1 &
types=$!
echo "== tests"
status=0
pytest -n "${TEST_WORKERS:-2}" --dist worksteal --durations=20 "$@" || status=$?
echo "== types"
wait "$types" || status=1
cat .venv/types.txt
if (($# == 0)); then
  echo "== site"
  python -m sphinx -W --keep-going -q docs build/site || status=1
fi
exit "$status"
