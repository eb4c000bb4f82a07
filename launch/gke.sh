#!/usr/bin/env bash
# Train on TPU slices of a GKE cluster, as a workload of xpk.
#   bash launch/gke.sh COMMAND [CONFIG] [OPTIONS] [-- ARGUMENTS OF sage-jax train]
#
#   train CONFIG  build the image, create the workload, wait for its end
#   status        the workload as xpk lists it
#   logs          follow worker 0 (kubectl)
#   down          delete the workload
#
# Options, each also an environment variable (--run_dir is SAGE_RUN_DIR):
#   --name NAME --cluster CLUSTER --project PROJECT --zone ZONE
#   --accelerator TYPE    e.g. v5litepod-256
#   --run_dir DIR         gs://..., which outlives the workload
#   --slices N            slices of that type (1)
#   --base_image IMAGE    what the image is made from (python:3.12)
#   --max_restarts N      restarts after preemption or a crash (20)
#   --file PATH           put this file into the image too; may be repeated
#   --env NAME=VALUE      set on every worker; may be repeated
#   --pass FLAG           one more flag of `xpk workload create`, e.g. --pass --spot; may be repeated
#   --dry-run             print the commands, execute nothing
#
# https://github.com/AI-Hypercomputer/xpk/blob/main/docs/usage/workloads.md

# shellcheck source=launch/common.sh
source "$(dirname "$0")/common.sh"

# The image holds what was committed, not what else lies in this folder.
unpack() {
  run rm -rf "build/launch/$SAGE_NAME"
  run mkdir -p "build/launch/$SAGE_NAME"
  run tar -xzf "build/launch/$SAGE_NAME.tar.gz" -C "build/launch/$SAGE_NAME"
}

# xpk restarts a workload that left with 42 or 127 to 255: killed, or stopped by a signal having
# saved (143). 1 and 2, where training again would not help, end it. `exec` hands SIGTERM on.
create() {
  local sent_config
  sent_config=$(sent "$config")
  run xpk workload create --workload="$SAGE_NAME" "${where[@]}" --tpu-type="$SAGE_ACCELERATOR" \
    --num-slices="${SAGE_SLICES:-1}" --max-restarts="${SAGE_MAX_RESTARTS:-20}" \
    --termination-grace-period-seconds=300 --base-docker-image="${SAGE_BASE_IMAGE:-python:3.12}" \
    --script-dir="build/launch/$SAGE_NAME" ${passed[@]+"${passed[@]}"} \
    --command="$(quote bash launch/worker.sh install tpu "$sent_config") &&\
 exec $(worker run "$sent_config")"
}

command=${1:-}
(($#)) && shift
case $command in
  -h | --help) usage; exit 0 ;;
  train) needed="config accelerator run_dir" ;;
  status | logs | down) needed='' ;;
  *) usage >&2; exit 2 ;;
esac
options "name cluster project zone accelerator run_dir slices base_image max_restarts" "" "$@"
# shellcheck disable=SC2086
need name cluster project zone $needed
where=(--cluster="$SAGE_CLUSTER" --project="$SAGE_PROJECT" --zone="$SAGE_ZONE")

case $command in
  train)
    pack
    unpack
    create
    run xpk workload list "${where[@]}" --wait-for-job-completion="$SAGE_NAME"
    ;;
  status) run xpk workload list "${where[@]}" --filter-by-job="^$SAGE_NAME\$" ;;
  logs)
    run kubectl logs --follow --tail=-1 --container=jax-tpu \
      --selector="jobset.sigs.k8s.io/jobset-name=$SAGE_NAME,batch.kubernetes.io/job-completion-index=0"
    ;;
  down) run xpk workload delete --workload="$SAGE_NAME" "${where[@]}" --force ;;
esac
