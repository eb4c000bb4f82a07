#!/usr/bin/env bash
# Train as a managed job of SkyPilot, which finds the machines and recovers them.
#   bash launch/skypilot.sh COMMAND [CONFIG] [OPTIONS] [-- ARGUMENTS OF sage-jax train]
#
#   train CONFIG  launch launch/skypilot.yaml and follow it; this folder is sent, less what
#                 .gitignore names
#   status        the managed jobs
#   logs          follow the job
#   down          cancel the job
#
# Options, each also an environment variable (--run_dir is SAGE_RUN_DIR):
#   --name NAME
#   --accelerator TYPE  e.g. tpu-v5litepod-16 or H100:8
#   --run_dir DIR       gs://..., which outlives the machines
#   --infra WHERE       e.g. gcp/us-west4 (SkyPilot's choice)
#   --nodes N           machines with GPUs (1); a TPU slice is one node
#   --spot
#   --env NAME=VALUE    set on every worker; may be repeated
#   --pass FLAG         one more flag of `sky jobs launch`; may be repeated
#   --dry-run           print the commands, execute nothing
#
# https://docs.skypilot.co/en/latest/reference/cli.html

# shellcheck source=launch/common.sh
source "$(dirname "$0")/common.sh"

launch() {
  local extra=cuda
  if [[ $SAGE_ACCELERATOR == tpu-* ]]; then extra=tpu; fi
  distributed='' # skypilot.yaml sets it
  run sky jobs launch --yes --name="$SAGE_NAME" --gpus="$SAGE_ACCELERATOR" \
    ${SAGE_INFRA:+--infra="$SAGE_INFRA"} ${SAGE_NODES:+--num-nodes="$SAGE_NODES"} \
    ${SAGE_SPOT:+--use-spot} --env=SAGE_EXTRA="$extra" --env=SAGE_CONFIG="$config" \
    --env=SAGE_COMMAND="$(worker run "$config")" ${passed[@]+"${passed[@]}"} launch/skypilot.yaml
}

command=${1:-}
(($#)) && shift
case $command in
  -h | --help) usage; exit 0 ;;
  train) needed="name config accelerator run_dir" ;;
  logs | down) needed=name ;;
  status) needed='' ;;
  *) usage >&2; exit 2 ;;
esac
options "name accelerator run_dir infra nodes" "spot" "$@"
# shellcheck disable=SC2086
need $needed
if [[ $config == /* ]]; then fail "$config: SkyPilot sends this folder, and it is not in it" 2; fi

case $command in
  train) launch ;;
  status) run sky jobs queue ;;
  logs) run sky jobs logs --name="$SAGE_NAME" ;;
  down) run sky jobs cancel --yes --name="$SAGE_NAME" ;;
esac
