#!/usr/bin/env bash
# The whole test suite: lint, format, types, tests, coverage. Needs nothing but Python 3.11 or newer.
#   bash launch/test.sh [PYTEST ARGUMENTS]
# SAGE_DATA_DIR names a folder of problem files, over which some tests then run in full.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=launch/environment.sh
source launch/environment.sh
make_environment test gguf
add_smollm2

export JAX_PLATFORMS=cpu TPU_SKIP_MDS_QUERY=1
# Compiling is most of the time, and many tests and processes compile the same programs.
export JAX_COMPILATION_CACHE_DIR=$PWD/.venv/compiled JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.3
echo "== lint and types"
ruff check .
ruff format --check .
pyright

# run_tests PYTEST ARGUMENTS: that a selection holds none of these tests (status 5) is no failure.
run_tests() {
  local status=0
  pytest -n "${TEST_WORKERS:-2}" --cov=sage_jax "$@" || status=$?
  [[ $status == 0 || $status == 5 ]]
}
echo "== tests"
run_tests --cov-report= --durations=15 -m "not slow" "$@"
echo "== longer tests, and coverage of all"
run_tests --cov-append --cov-report=term:skip-covered --durations=15 -m slow "$@"
