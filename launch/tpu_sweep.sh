#!/usr/bin/env bash
# Train a sweep in shards, each on a spot or on-demand TPU VM of its own.
#
#   launch/tpu_sweep.sh COMMAND --shards=N --name=NAME --zone=ZONE [--FLAG=VALUE]...
#
# Commands: run, status, logs, delete, each done by tpu_vm.sh for every shard. Call `run`
# again until it exits with 0: it leaves finished shards alone.
#
# Flags
#   --shards   number of parts; part i trains on the VM NAME-i, with one host, into
#              WORKDIR/shard-i-of-N
#   --at_once  most VMs at one time; default: all
# All other flags are those of tpu_vm.sh. With --tries=100, one call restarts preempted
# shards by itself.
#
# Afterwards, make one table of all shards:
#   python -m repjax.table3 --workdir=WORKDIR/shard-{0..N-1}-of-N --out=DIR
# Exit codes: 0 done; 1 a shard failed; 2 bad input; 75 shards were preempted or stopped,
# call again to go on.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=launch/lib.sh
source "$root/launch/lib.sh"

shards="" at_once="" name="" dry_run=false passed_on=()

main() {
  local command=${1:-}
  case $command in
    run | status | logs | delete) ;;
    --help | -h | "")
      usage
      return
      ;;
    *) bad_input "'$command' is not a command; use run, status, logs or delete" ;;
  esac
  split_flags "${@:2}"
  check_flag shards '[1-9][0-9]{0,3}' "the number of shards, 1 to 9999"
  check_flag at_once '[1-9][0-9]*' "a number of at least 1"
  # Errors in the other flags are reported once, before anything is created.
  dry_run=true shard "$command" 0 >/dev/null
  all_shards "$command"
}

# Parse this script's own flags; tpu_vm.sh checks the others.
split_flags() {
  local argument
  for argument in "$@"; do
    case $argument in
      --help | -h | --shards* | --at_once* | --name* | --dry_run*)
        parse_flags shards at_once name dry_run -- "$argument"
        ;;
      --shard=*) bad_input "$argument is not allowed; use --shards, of which each VM trains one" ;;
      *) passed_on+=("$argument") ;;
    esac
  done
  at_once=${at_once:-${shards:-1}}
}

shard() {
  local own=()
  if [[ $1 == run ]]; then own=(--shard="$2/$shards"); fi
  "$root/launch/tpu_vm.sh" "$1" --name="${name:+$name-$2}" --dry_run="$dry_run" \
    "${own[@]}" "${passed_on[@]}"
}

all_shards() {
  local i code worst=0 processes=()
  for ((i = 0; i < shards; i++)); do
    while (($(jobs -pr | wc -l) >= at_once)); do sleep 0.1; done
    if [[ $dry_run == true ]]; then
      shard "$1" "$i"
    else
      shard "$1" "$i" 2>&1 | sed -u "s|^|[$i/$shards] |" &
      processes+=($!)
    fi
  done
  for i in "${!processes[@]}"; do
    code=0
    wait "${processes[i]}" || code=$?
    if [[ $code != 0 ]]; then say "shard $i/$shards: exit code $code"; fi
    worst=$(worse "$worst" "$code")
  done
  exit "$worst"
}

# A failure that another call does not fix outranks a preemption.
worse() {
  if [[ $1 == 0 || $1 == "$STOPPED" && $2 != 0 ]]; then echo "$2"; else echo "$1"; fi
}

main "$@"
