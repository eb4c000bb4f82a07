#!/usr/bin/env bash
# What the launch scripts call on each worker, in the checkout there.
#   install EXTRA CONFIG     make .venv with the extra (tpu or cuda)
#   run CONFIG [ARGUMENT..]  train, in the foreground
#   start CONFIG [...]       train, detached: a lost connection does not end it
#   status                   one line: running, ended STATUS WHEN, stopped, killed or absent
#   log [LINES]              the detached run's output from its last LINES (default: all), to its end
#   stop                     ask the detached run to save and leave, and say so in `status`
#   reap                     the same, without saying so
set -euo pipefail
cd "$(dirname "$0")/.."
state=build/worker

install() {
  # shellcheck source=launch/environment.sh
  source launch/environment.sh
  GET_PYTHON=1 make_environment_for "$2" "$1"
}

train() {
  # shellcheck source=/dev/null
  source .venv/bin/activate
  exec sage-jax train "$@"
}

# After a reboot that number may be another process's, so its command line is looked at too.
alive() {
  local recorder
  recorder=$(cat "$state/recorder" 2>/dev/null) && kill -0 "$recorder" 2>/dev/null &&
    tr '\0' ' ' < "/proc/$recorder/cmdline" | grep -q 'launch/worker.sh'
}

start() {
  if alive; then
    echo "$(hostname): running already"
    return
  fi
  rm -rf "$state"
  mkdir -p "$state"
  setsid nohup bash launch/worker.sh record "$@" > "$state/log" 2>&1 < /dev/null &
  echo $! > "$state/recorder"
  echo "$(hostname): started"
}

# record ...: the detached run's parent, which writes down how and when it ended.
record() {
  local status=0
  bash launch/worker.sh run "$@" &
  echo $! > "$state/program"
  wait $! || status=$?
  echo "$status $(date +%s%N)" > "$state/status.part"
  mv "$state/status.part" "$state/status"
}

status() {
  local found
  if alive; then
    found=running
  elif [[ -f $state/asked ]]; then
    found=stopped
  elif [[ -f $state/status ]]; then
    found="ended $(cat "$state/status")"
  elif [[ -f $state/recorder ]]; then
    found=killed
  else
    found=absent
  fi
  echo "sage-worker $(hostname) $found"
}

# Ends with the run. There is no log to show where nothing was started.
log() {
  local ending=()
  if alive; then ending=(--follow=name --pid="$(cat "$state/recorder")"); fi
  tail --lines="${1:-+1}" ${ending[@]+"${ending[@]}"} "$state/log"
}

# A program that hangs in a collective does not see the signal; it is killed after a while, as is
# whatever it leaves running.
reap() {
  local waited=0
  alive || return 0
  kill -TERM "$(cat "$state/program")" 2>/dev/null || true
  while alive && ((waited++ < ${SAGE_STOP_SECONDS:-120})); do sleep 1; done
  kill -KILL -- "-$(cat "$state/recorder")" 2>/dev/null || true
}

stop() {
  if alive; then
    touch "$state/asked"
    reap
  fi
  status
}

case ${1:-} in
  run) train "${@:2}" ;;
  install | start | record | status | log | stop | reap) "$@" ;;
  *) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" >&2; exit 2 ;;
esac
