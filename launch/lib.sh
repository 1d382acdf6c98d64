#!/usr/bin/env bash
# Functions shared by the launch scripts: flags and commands. Sourced, not run.
# shellcheck disable=SC2034,SC2154 # set here and used there, or the other way round
set -euo pipefail

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
  echo "repjax: bash $BASH_VERSION is too old; use 4.4 or newer" >&2
  exit 2
fi
shopt -s inherit_errexit

FAILED=1
BAD_INPUT=2
STOPPED=75 # by a signal or a preemption; call again to go on

settings=()
exec 3>&1 # where --dry_run prints, from inside $( ) too

say() { echo "repjax: $*" >&2; }

# Report progress, except in a dry run.
note() {
  if [[ $dry_run == false ]]; then say "$@"; fi
}

bad_input() {
  say "$@"
  exit "$BAD_INPUT"
}

# Print the comment at the top of the script.
usage() {
  awk 'NR > 1 && !/^#( |$)/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"
}

# parse_flags FLAG... -- ARGUMENT...: --FLAG=VALUE sets the variable FLAG, which holds its
# default before. --FLAG alone sets a flag whose default is false. Settings of the
# experiment, --config.KEY=VALUE, are collected in `settings` for repjax.main to check.
parse_flags() {
  local known="" argument
  while [[ $1 != -- ]]; do
    known+=" $1"
    shift
  done
  shift
  for argument in "$@"; do
    case $argument in
      --help | -h)
        usage
        exit 0
        ;;
      --config.*=*) settings+=("$argument") ;;
      --*) set_flag "$known" "$argument" ;;
      *) bad_input "'$argument' is not a flag; use --flag=value" ;;
    esac
  done
}

set_flag() {
  local known=$1 flag=${2#--} value
  value=${flag#*=}
  flag=${flag%%=*}
  [[ " $known " == *" $flag "* ]] ||
    bad_input "$2: unknown; use one of$known, config.KEY"
  case ${!flag} in
    true | false)
      [[ $2 == *=* ]] || value=true
      [[ $value == true || $value == false ]] ||
        bad_input "--$flag: '$value' is not allowed; use true or false"
      ;;
    *) [[ $2 == *=* ]] || bad_input "--$flag: missing value; use --$flag=VALUE" ;;
  esac
  printf -v "$flag" '%s' "$value"
}

# check_flag FLAG PATTERN ALLOWED: the whole value must match an extended regular expression.
check_flag() {
  local value=${!1}
  [[ -n $value ]] || bad_input "--$1: missing; use $3"
  [[ $value =~ ^($2)$ ]] || bad_input "--$1: '$value' is not allowed; use $3"
}

check_experiment() {
  check_flag config '[^:]+[.]py(:.*)?' "an experiment such as experiments/table3.py"
  [[ -f $root/${config%%:*} ]] ||
    bad_input "--config: '$config' is not in $root; use an experiment such as" \
      "experiments/table3.py"
}

# Print a command so that it can be pasted into a shell.
show() {
  local word line=""
  for word in "$@"; do
    [[ $word =~ ^[-[:alnum:]_./:=,@%+]+$ ]] || word=${word@Q}
    line+=" $word"
  done
  echo "${line# }" >&3
}

# Run a command, or print it if --dry_run.
call() {
  if [[ $dry_run == true ]]; then show "$@"; else "$@"; fi
}

# Print the folder that shard i of n trains into, below the workdir of the sweep.
part_of() { echo "$1/shard-$2-of-$3"; }
