#!/usr/bin/env bash
# An environment of its own for each peer, from its pinned requirements.
#   bash benchmarks/environment.sh [transformers] [trl] [tunix] [peft]      # all but peft if none is named
# They lie in benchmarks/.envs. BENCH_PYTHON names the Python they are made with (3.11 or newer);
# PIP_FIND_LINKS, where set, may name a folder with a CPU build of PyTorch.
set -euo pipefail
cd "$(dirname "$0")"
[[ $# -gt 0 ]] || set -- transformers trl tunix
for name in "$@"; do
  requirements=requirements/$name.txt
  stamp=.envs/$name/.installed
  cmp -s "$requirements" "$stamp" && continue
  echo "installing $name into benchmarks/.envs/$name ..."
  [[ -x .envs/$name/bin/python ]] || "${BENCH_PYTHON:-python3}" -m venv ".envs/$name"
  ".envs/$name/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$stamp"
done
