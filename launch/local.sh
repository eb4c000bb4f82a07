#!/usr/bin/env bash
# Train a config on this machine, evaluate it and write the report.
#   bash launch/local.sh CONFIG [--section.field value ...]
# The run lies in runs/<name of the config file>; RUN_DIR puts it elsewhere. Called again, it goes on.
set -euo pipefail
config=$(realpath "${1:?usage: bash launch/local.sh CONFIG [--section.field value ...]}")
shift
cd "$(dirname "$0")/.."
# shellcheck source=launch/environment.sh
source launch/environment.sh

run_dir=${RUN_DIR:-runs/$(basename "$config" .yaml)}
extras=()
if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then extras+=(cuda); fi
make_environment_for "$config" ${extras[@]+"${extras[@]}"}

sage-jax train "$config" --run_dir "$run_dir" "$@"
