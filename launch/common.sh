# Sourced by the launch scripts: options, checks, quoting, and commands that --dry-run only prints.
# shellcheck shell=bash
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$(pwd -P)
exec 3>&1 # where --dry-run prints, from inside $(...) too

program=$(basename "$0")
config='' arguments=() files=() passed=() variables=()
# How JAX's processes find each other: by what Cloud TPU, GKE or SLURM tells them.
distributed=auto

say() { echo "$program: $*" >&2; }

# fail MESSAGE [STATUS]
fail() {
  say "$1"
  exit "${2:-1}"
}

# usage: the comment at the head of the script.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# quote WORD...: one line that a shell reads back as these words. Control characters need bash's $''.
quote() {
  local word one="'" escaped="'\\''" separator=''
  for word in "$@"; do
    printf %s "$separator"
    separator=' '
    case $word in
      '') printf "''" ;;
      *[[:cntrl:]]*) printf %q "$word" ;;
      *[!A-Za-z0-9_./:=@%+,-]*) printf "'%s'" "${word//$one/$escaped}" ;;
      *) printf %s "$word" ;;
    esac
  done
}

dry() { [[ -n ${SAGE_DRY_RUN:-} ]]; }

# run WORD...: executes the command; under --dry-run prints it.
run() {
  if dry; then printf '%s\n' "$(quote "$@")" >&3; else "$@"; fi
}

# ask ANSWER WORD...: executes a command for what it says; under --dry-run prints it, and says ANSWER.
ask() {
  local answer=$1
  shift
  if dry; then
    run "$@"
    echo "$answer"
  else
    "$@"
  fi
}

# variable NAME: the environment variable behind the option --name.
variable() { echo "SAGE_$(tr '[:lower:]-' '[:upper:]_' <<< "$1")"; }

# options VALUED FLAGS ARGUMENT...: sets SAGE_NAME from `--name VALUE` and to 1 from a flag; the word
# that is no option is `config`, and what follows `--` goes on to training as `arguments`.
options() {
  local valued=" $1 " flags=" $2 dry_run " name
  shift 2
  while (($#)); do
    name=$(tr - _ <<< "${1#--}")
    case $1 in
      --) arguments=("${@:2}"); break ;;
      -h | --help) usage; exit 0 ;;
      --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}"; continue ;;
      --env | --file | --pass) takes_value "$@"; repeated "$name" "$2"; shift 2 ;;
      --*)
        if [[ $valued == *" $name "* ]]; then
          takes_value "$@"
          printf -v "$(variable "$name")" %s "$2"
          shift 2
        elif [[ $flags == *" $name "* ]]; then
          printf -v "$(variable "$name")" 1
          shift
        else
          fail "no option $1; arguments of the training go after --" 2
        fi
        ;;
      *)
        [[ -z $config ]] || fail "one config, not $config and $1" 2
        config=$(located "$1") || fail "$1: no such file" 2
        shift
        ;;
    esac
  done
}

takes_value() { (($# > 1)) || fail "$1 takes a value" 2; }

repeated() {
  case $1 in
    env) variables+=("$2") ;;
    file) files+=("$(located "$2")") || fail "$2: no such file" 2 ;;
    pass) passed+=("$2") ;;
  esac
}

# need NAME...: refuses to go on without these options, all named at once.
need() {
  local name variable missing=''
  for name in "$@"; do
    if [[ $name == config ]]; then
      if [[ -z $config ]]; then missing+=", CONFIG"; fi
    else
      variable=$(variable "$name")
      if [[ -z ${!variable:-} ]]; then missing+=", --$name (or $variable)"; fi
    fi
  done
  [[ -z $missing ]] || fail "missing: ${missing#, }" 2
  if [[ -n ${SAGE_NAME:-} && ! $SAGE_NAME =~ ^[a-z]([-a-z0-9]*[a-z0-9])?$ ]]; then
    fail "--name $SAGE_NAME: lower-case letters, digits and hyphens, a letter first" 2
  fi
}

# located PATH: the file's path from this checkout's root, or its full path where it lies elsewhere.
located() {
  local path
  path=$(cd "$called_from" && cd "$(dirname "$1")" 2>/dev/null && pwd -P)/$(basename "$1")
  [[ -f $path ]] || return 1
  echo "${path#"$root"/}"
}

# sent PATH: where a file arrives: under the same path, or as sent/NAME if it lies elsewhere.
sent() {
  case $1 in
    /*) echo "sent/$(basename "$1")" ;;
    *) echo "$1" ;;
  esac
}

# pack: the committed code, the config and the files of --file, as build/launch/NAME.tar.gz.
pack() {
  local file path added=()
  for file in "$config" ${files[@]+"${files[@]}"}; do
    path=$(dirname "$(sent "$file")")/
    added+=(--prefix="${path#./}" --add-file="$file")
  done
  run mkdir -p build/launch
  run git archive --format=tar.gz --output="build/launch/$SAGE_NAME.tar.gz" "${added[@]}" \
    --prefix= HEAD
}

# worker VERB CONFIG: the command that trains, for the shell of a worker.
worker() {
  quote env ${distributed:+"SAGE_DISTRIBUTED=$distributed"} ${variables[@]+"${variables[@]}"} \
    bash launch/worker.sh "$1" "$2" --run_dir "$SAGE_RUN_DIR" ${arguments[@]+"${arguments[@]}"}
}
