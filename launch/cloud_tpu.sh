#!/usr/bin/env bash
# Train on a Cloud TPU slice that a queued resource brings.
#   bash launch/cloud_tpu.sh COMMAND [CONFIG] [OPTIONS] [-- ARGUMENTS OF sage-jax train]
#
#   train CONFIG    up, install, run, watch, down: all that a run needs
#   up              ask for the TPU and wait until it is ready
#   install CONFIG  send the committed code and the config; make the environment on every worker
#   run CONFIG      start the training on every worker, detached
#   watch CONFIG    follow worker 0; resume after preemption; end as the training ends
#   status          state of the TPU, and of the training on each worker
#   logs            follow worker 0 only
#   stop            ask the training to save and leave; `run` goes on from there
#   down            delete the TPU
#
# Options, each also an environment variable (--run_dir is SAGE_RUN_DIR):
#   --name NAME --project PROJECT --zone ZONE
#   --accelerator TYPE         e.g. v5litepod-16
#   --runtime_version VERSION  e.g. v2-alpha-tpuv5-lite
#   --run_dir DIR              gs://..., which outlives the TPU
#   --spot | --reserved
#   --max_restarts N           resume at most so often (20)
#   --keep                     `train` leaves the TPU there when it has ended
#   --file PATH                send this file too, under the same path; may be repeated
#   --env NAME=VALUE           set on every worker; may be repeated
#   --pass FLAG                one more flag of `queued-resources create`; may be repeated
#   --dry-run                  print the commands, execute nothing
# SAGE_POLL_SECONDS (30) lie between two looks at the TPU.
#
# https://cloud.google.com/tpu/docs/queued-resources
# https://cloud.google.com/sdk/gcloud/reference/compute/tpus/queued-resources/create
# https://cloud.google.com/sdk/gcloud/reference/compute/tpus/tpu-vm/ssh

# shellcheck source=launch/common.sh
source "$(dirname "$0")/common.sh"

# What --dry-run takes the replies to be: nothing is there at first, and the training ends well.
expected_state=ABSENT expected_status='sage-worker - absent'
may_be_up='' follower='' patience=${SAGE_PATIENCE:-20}

# describe WHAT FIELD ANSWER: a state, or ABSENT.
describe() {
  local reply
  if reply=$(ask "$3" gcloud compute tpus "$1" describe "$SAGE_NAME" "${where[@]}" \
    --format="value($2)" 2>&1); then
    grep -E '^[A-Z_]+$' <<< "$reply" | tail -n 1
  elif [[ $reply == *NOT_FOUND* ]]; then
    echo ABSENT
  else
    echo "$reply" >&2
    return 1
  fi
}

# A request can stay ACTIVE while its virtual machines are gone, so these are asked too.
tpu_state() {
  local state
  state=$(describe queued-resources state.state "$expected_state") || return 1
  if [[ $state == ACTIVE ]]; then
    state=$(describe tpu-vm state READY) || return 1
    if [[ $state == ABSENT ]]; then state=DELETED; fi
  fi
  echo "$state"
}

# https://cloud.google.com/tpu/docs/reference/rest/v2/projects.locations.queuedResources#State
# https://cloud.google.com/tpu/docs/reference/rest/v2/projects.locations.nodes#State
kind() {
  case $1 in
    READY) echo ready ;;
    ABSENT) echo absent ;;
    CREATING | ACCEPTED | WAITING_FOR_RESOURCES | PROVISIONING) echo coming ;;
    STARTING | RESTARTING | REIMAGING | REPAIRING | UNKNOWN | STATE_UNSPECIFIED) echo coming ;;
    *) echo lost ;; # FAILED, SUSPENDING, SUSPENDED, DELETING, PREEMPTED, TERMINATED, STOPPED, ...
  esac
}

pause() { dry || sleep "${SAGE_POLL_SECONDS:-30}"; }

create() {
  run gcloud compute tpus queued-resources create "$SAGE_NAME" "${where[@]}" --quiet \
    --node-id="$SAGE_NAME" --accelerator-type="$SAGE_ACCELERATOR" \
    --runtime-version="$SAGE_RUNTIME_VERSION" ${SAGE_SPOT:+--spot} ${SAGE_RESERVED:+--reserved} \
    ${passed[@]+"${passed[@]}"} || return 1
  may_be_up=1 expected_state=ACTIVE
}

# --force deletes the virtual machines along with the request.
destroy() {
  run gcloud compute tpus queued-resources delete "$SAGE_NAME" "${where[@]}" --quiet --force ||
    return 1
  may_be_up=''
}

# obtain: waits until the TPU is ready, asking for one where there is none. 1 if the request is lost.
# A wait in the queue can last days, so a look that fails is repeated, unless it is the first.
obtain() {
  local state last='' failures=0
  while true; do
    if ! state=$(tpu_state); then
      if [[ -z $last ]] || ((++failures == patience)); then
        fail "the state of $SAGE_NAME cannot be read"
      fi
      pause
      continue
    fi
    if [[ $state != "$last" ]] && ! dry; then say "$SAGE_NAME: $state"; fi
    last=$state failures=0
    case $(kind "$state") in
      ready) may_be_up=1; return 0 ;;
      absent) create || fail "$SAGE_NAME was not created" ;;
      coming) may_be_up=1; pause ;;
      lost) return 1 ;;
    esac
  done
}

# up: what an earlier run lost is deleted first.
up() {
  if obtain; then return; fi
  destroy || fail "$SAGE_NAME was not deleted"
  obtain || fail "$SAGE_NAME: the request came to nothing"
}

# ssh_to WHICH COMMAND: sets `ssh`. A connection that died is noticed after 90 seconds.
ssh_to() {
  ssh=(gcloud compute tpus tpu-vm ssh "$SAGE_NAME" "${where[@]}" --quiet --worker="$1"
    --ssh-flag='-o ServerAliveInterval=30 -o ConnectTimeout=15' --command="$2")
}

# there VERB [ARGUMENT...]: calls worker.sh in the checkout on a worker.
there() { echo "cd sage_jax && $(quote bash launch/worker.sh "$@")"; }

# on_workers WHICH COMMAND
on_workers() {
  ssh_to "$@"
  run "${ssh[@]}"
}

# send: the archive that `pack` made, to every worker, and installs it. It is the archive of the
# first start when a run is resumed, so that a run stays with its code.
send() {
  run gcloud compute tpus tpu-vm scp "build/launch/$SAGE_NAME.tar.gz" "$SAGE_NAME:sage_jax.tar.gz" \
    "${where[@]}" --quiet --worker=all || return 1
  on_workers all "mkdir -p sage_jax && tar -xzf sage_jax.tar.gz -C sage_jax &&\
 $(there install tpu "$(sent "$config")")"
}

start() {
  on_workers all "cd sage_jax && $(worker start "$(sent "$config")")" || return 1
  expected_status='sage-worker - running'
}

# follow LINES: the output of worker 0, until the run ends, or 1 where the connection breaks. It has a
# process group of its own, all of which leaves with this script.
follow() {
  ssh_to 0 "$(there log "$1")"
  expected_status='sage-worker - ended 0 0'
  if dry; then
    run "${ssh[@]}"
    return
  fi
  set -m
  "${ssh[@]}" < /dev/null &
  follower=$!
  set +m
  local status=0
  wait "$follower" || status=1
  follower=''
  return "$status"
}

# judge: from the status lines of all workers, running, straggling, done, interrupted or failed N.
# The worker that ended first with an error is the cause, since its end brings down the others.
judge() {
  awk '
    $1 != "sage-worker" { next }
    { seen++ }
    $3 == "running" { running++ }
    $3 == "stopped" { stopped++ }
    $3 == "killed" || $3 == "absent" { missing++ }
    $3 == "ended" && $4 != 0 && (cause == "" || $5 < first) { first = $5; cause = $4 }
    END {
      if (!seen) print "unreachable"
      else if (running == seen) print "running"
      else if (running) print "straggling"
      else if (stopped) print "failed 130"
      else if (missing) print "interrupted"
      else if (cause == "") print "done"
      else if (cause <= 2) print "failed " cause
      else print "interrupted"
    }'
}

# workers: how the training stands, as `judge` says, or unreachable.
workers() {
  local lines
  ssh_to all "$(there status) || echo sage-worker - absent"
  lines=$(ask "$expected_status" "${ssh[@]}") || { echo unreachable; return; }
  judge <<< "$lines"
}

# verdict: as `workers`, or waiting, lost or absent where the TPU is not ready.
verdict() {
  local state
  state=$(tpu_state) || { echo unreachable; return; }
  case $(kind "$state") in
    ready) workers ;;
    coming) echo waiting ;;
    *) say "$SAGE_NAME: $state"; kind "$state" ;;
  esac
}

# resume FOUND: where this fails, `watch` looks again, and counts that as another restart.
resume() {
  if [[ $1 == lost ]]; then destroy || return 0; fi
  if obtain && send; then start || true; fi
}

# watch: until the training has ended; returns its status.
watch() {
  local found restarts=0 unreachable=0 straggling=0 lines=+1 shown=''
  while true; do
    found=$(verdict)
    if [[ $found != absent ]]; then may_be_up=1; fi
    if [[ $found != unreachable ]]; then unreachable=0; fi
    if [[ $found != straggling ]]; then straggling=0; fi
    case $found in
      done | failed* | interrupted) [[ -n $shown ]] || follow "$lines" || true ;;
    esac
    case $found in
      done) return 0 ;;
      failed*) return "${found#failed }" ;;
      running)
        if follow "$lines"; then shown=1; else shown=''; fi
        lines=20
        ;;
      straggling) ((++straggling % patience)) || end_stragglers ;;
      unreachable)
        ((++unreachable < patience)) || fail "$SAGE_NAME cannot be reached; watch it again later"
        ;;
      lost | absent | interrupted)
        ((++restarts <= ${SAGE_MAX_RESTARTS:-20})) ||
          fail "$found again; --max_restarts allowed $((restarts - 1))"
        say "$found; restart $restarts"
        resume "$found"
        lines=+1 shown=''
        ;;
    esac
    pause
  done
}

end_stragglers() {
  say "some workers have ended and others have not; ending these"
  on_workers all "$(there reap)" || true
}

# leave: on every way out. Nothing stays behind here, and what stays there is named.
leave() {
  if [[ -n $follower ]]; then kill -TERM -- "-$follower" 2>/dev/null || true; fi
  if [[ -n $may_be_up ]] && ! dry; then
    say "$SAGE_NAME is there and costs money; a training that runs goes on. To delete it:"
    say "bash launch/cloud_tpu.sh down $(quote --name "$SAGE_NAME" "${where[@]}")"
  fi
}

# finish: watches, says how it ended, and ends so.
finish() {
  local status=0
  watch || status=$?
  dry || say "the training ended with status $status"
  if [[ $command == train && -z ${SAGE_KEEP:-} ]]; then
    destroy || fail "$SAGE_NAME was not deleted"
  fi
  exit "$status"
}

# begin: a training that runs already, because this script was stopped, is left alone.
begin() {
  up
  case $(workers) in
    running | straggling) return ;;
  esac
  pack
  send
  start
}

command=${1:-}
(($#)) && shift
case $command in
  -h | --help) usage; exit 0 ;;
  train | watch) needed="config accelerator runtime_version run_dir" ;;
  up) needed="accelerator runtime_version" ;;
  install) needed=config ;;
  run) needed="config run_dir" ;;
  status | logs | stop | down) needed='' ;;
  *) usage >&2; exit 2 ;;
esac
options "name project zone accelerator runtime_version run_dir max_restarts" "spot reserved keep" "$@"
# shellcheck disable=SC2086
need name project zone $needed
where=(--project="$SAGE_PROJECT" --zone="$SAGE_ZONE")
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

case $command in
  train) begin; finish ;;
  up) up ;;
  install) pack; send ;;
  run) start ;;
  watch) finish ;;
  status) tpu_state; on_workers all "$(there status)" ;;
  logs) on_workers 0 "$(there log)" ;;
  stop) on_workers all "$(there stop)" ;;
  down) destroy ;;
esac
