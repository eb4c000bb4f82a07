#!/usr/bin/env bash
# Train a config on this machine, evaluate it and write the report.
#   bash launch/local.sh CONFIG [--section.field value ...]
# The run lies in runs/<name of the config file>; RUN_DIR puts it elsewhere. Called again, it goes on.
set -euo pipefail
if (($# == 0)) || [[ $1 == -h || $1 == --help ]]; then
  awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
  (($#)) && exit 0 || exit 2
fi
[[ -f $1 ]] || { echo "local.sh: $1: no such file" >&2; exit 2; }
config=$(realpath -- "$1")
shift
cd "$(dirname "$0")/.."
# shellcheck source=launch/environment.sh
source launch/environment.sh

run_dir=${RUN_DIR:-runs/$(basename "$config" .yaml)}
extras=()
if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then extras+=(cuda); fi
make_environment_for "$config" ${extras[@]+"${extras[@]}"}
# Arms have programs in common, and a run that goes on has all of them.
[[ -n ${JAX_COMPILATION_CACHE_DIR:-} ]] || keep_compiled
if ((${#extras[@]} == 0)); then compile_quickly "$config"; fi

sage-jax train "$config" --run_dir "$run_dir" "$@"
