#!/usr/bin/env bash
# Tests of our losses in google-tunix. It wants other versions of Orbax and safetensors than are tested
# here, so it and what it imports lie in a folder of their own, .venv/tunix, before those of .venv.
#   bash launch/test_tunix.sh [PYTEST ARGUMENTS]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=launch/environment.sh
source launch/environment.sh
make_environment test

folder=.venv/tunix
if ! cmp -s launch/tunix.txt "$folder/installed"; then
  echo "installing google-tunix into $folder ..."
  rm -rf "$folder"
  python -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder" \
    --requirement launch/tunix.txt
  cp launch/tunix.txt "$folder/installed"
fi

export JAX_PLATFORMS=cpu TPU_SKIP_MDS_QUERY=1
keep_compiled
PYTHONPATH=$folder python -m pytest -n 0 tests/integrations/test_tunix.py "$@"
