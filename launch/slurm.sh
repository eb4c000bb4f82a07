#!/usr/bin/env bash
# Train on the GPUs of a SLURM cluster, from a checkout on a file system that all nodes share.
#   bash launch/slurm.sh COMMAND [CONFIG] [OPTIONS] [-- ARGUMENTS OF sage-jax train]
#
#   train CONFIG  submit launch/slurm.sbatch
#   status        the jobs of that name
#   logs          follow the output
#   down          cancel the jobs of that name
#
# Options, each also an environment variable (--run_dir is SAGE_RUN_DIR):
#   --name NAME
#   --nodes N --gpus N  nodes, and GPUs of each
#   --run_dir DIR       on the shared file system
#   --time LIMIT        e.g. 24:00:00; before it the run saves, and the job is queued again
#   --max_restarts N    queue it again at most so often (20)
#   --wait              return when the job has ended, with its status
#   --env NAME=VALUE    set on every worker; may be repeated
#   --pass FLAG         one more flag of `sbatch`, e.g. --pass --partition=gpu; may be repeated
#   --dry-run           print the commands, execute nothing
#
# https://slurm.schedmd.com/sbatch.html

# shellcheck source=launch/common.sh
source "$(dirname "$0")/common.sh"

# One task for each GPU, and every task sees all of its node's: JAX takes the one of its number.
# --signal: USR1 to the script alone, which asks the training to save; see slurm.sbatch.
submit() {
  run mkdir -p build/launch
  run sbatch --job-name="$SAGE_NAME" --nodes="$SAGE_NODES" --ntasks-per-node="$SAGE_GPUS" \
    --gpus-per-node="$SAGE_GPUS" ${SAGE_TIME:+--time="$SAGE_TIME"} ${SAGE_WAIT:+--wait} \
    --output="build/launch/$SAGE_NAME.log" --open-mode=append --requeue --signal=B:USR1@300 \
    ${passed[@]+"${passed[@]}"} launch/slurm.sbatch "$config" "${SAGE_MAX_RESTARTS:-20}" \
    "exec $(worker run "$config")"
}

command=${1:-}
(($#)) && shift
case $command in
  -h | --help) usage; exit 0 ;;
  train) needed="name config nodes gpus run_dir" ;;
  status | logs | down) needed=name ;;
  *) usage >&2; exit 2 ;;
esac
options "name nodes gpus run_dir time max_restarts" "wait" "$@"
# shellcheck disable=SC2086
need $needed

case $command in
  train) submit ;;
  status) run squeue --me --name="$SAGE_NAME" ;;
  logs) run tail --lines=+1 --follow=name --retry "build/launch/$SAGE_NAME.log" ;;
  down) run scancel --me --name="$SAGE_NAME" ;;
esac
