#!/usr/bin/env bash
# Train a sweep on one TPU VM or pod slice, requested as a queued resource.
#
#   launch/tpu_vm.sh COMMAND --name=NAME --zone=ZONE [--FLAG=VALUE]...
#
# Commands
#   run     create the queued resource, wait for it, set up every worker, train on all of
#           them, follow the log, delete. Steps that are done are skipped: call it
#           again after a preemption, a lost connection or an error.
#   status  print the state of the queued resource and of every worker
#   logs    print the log of every worker
#   delete  delete the queued resource and its VMs; the workdir stays
#
# Flags
#   --name      name of the queued resource and its node: letters, digits, hyphens
#   --zone      zone, such as us-central2-b
#   --project   default: gcloud's current project
# Only for run
#   --type      accelerator type, such as v4-8, v5litepod-16, v6e-8
#   --runtime   TPU software version; default: the usual one of that type
#   --spot      use a spot TPU, which costs less and may be preempted
#   --config    experiment of this repository, such as experiments/table3.py
#   --config.KEY=VALUE  its settings, as for repjax.main
#   --workdir   gs://BUCKET/DIR, or a path that is mounted on every worker
#   --shard     i/n: train that part into WORKDIR/shard-i-of-n, on a VM with one host;
#               without it the hosts of the slice train everything together
#   --extras    default tpu,gcs
#   --keep      do not delete after success
#   --tries     number of tries in one call if preempted; default 1
#   --poll      seconds between two checks while waiting; default 30
#   --dry_run   print the commands, run none
#
# Runs the commit that is checked out; uncommitted changes stay here.
# Exit codes: 0 done; 1 failed, the VM is kept; 2 bad input; 75 preempted or stopped,
# call again to go on.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=launch/lib.sh
source "$root/launch/lib.sh"

name="" zone="" project="" type="" runtime="" spot=false config="" workdir="" shard=""
extras=tpu,gcs keep=false tries=1 poll=30 dry_run=false

main() {
  local command=${1:-}
  case $command in
    run | status | logs | delete) ;;
    --help | -h | "") command=usage ;;
    *) bad_input "'$command' is not a command; use run, status, logs or delete" ;;
  esac
  parse_flags name zone project type runtime spot config workdir shard extras keep tries \
    poll dry_run -- "${@:2}"
  if [[ $command != usage ]]; then check_flags "$command"; fi
  where=(--zone="$zone" ${project:+--project="$project"})
  if [[ $command != run ]]; then assumed_state=ACTIVE/READY; fi
  if [[ $command == run && $tries != 1 ]]; then
    try "${@:2}"
  else
    "$command"
  fi
}

check_flags() {
  check_flag name '[a-z]([-a-z0-9]{0,61}[a-z0-9])?' \
    "lower-case letters, digits and hyphens, such as repjax-1"
  check_flag zone '[a-z]+-[a-z]+[0-9]+-[a-z]' "a zone such as us-central2-b"
  check_flag poll '[0-9]+([.][0-9]+)?' "seconds, such as 30"
  check_flag tries '[1-9][0-9]*' "a number of at least 1"
  if [[ $1 != run ]]; then return; fi
  check_flag type 'v[0-9]+[a-z]*-[0-9]+' "a type such as v4-8, v5litepod-16 or v6e-8"
  check_flag workdir '(gs:/)?/[^ ]+' "gs://BUCKET/DIR, or an absolute path on the workers"
  check_flag extras '[a-z]+(,[a-z]+)*' "extras such as tpu,gcs"
  check_experiment
  flags=(--config="$config" "${settings[@]}")
  if [[ -z $shard ]]; then
    flags+=(--workdir="$workdir" --distributed)
  else
    check_flag shard '[0-9]+/[1-9][0-9]*' "i/n with 0 <= i < n"
    ((10#${shard%/*} < 10#${shard#*/})) ||
      bad_input "--shard: '$shard' is not allowed; use i/n with 0 <= i < n"
    workdir=$(part_of "$workdir" "${shard%/*}" "${shard#*/}")
    flags+=(--workdir="$workdir" --shard="$shard")
  fi
  runtime=${runtime:-$(usual_runtime)}
}

usual_runtime() {
  case $type in
    v6e-*) echo v2-alpha-tpuv6e ;;
    v5p-*) echo v2-alpha-tpuv5 ;;
    v5litepod-*) echo v2-alpha-tpuv5-lite ;;
    *) echo tpu-ubuntu2204-base ;;
  esac
}

# A dry run assumes the answers of all queries: nothing exists at first, then all succeeds.
assumed_state=ABSENT assumed_workers=idle

# ---- commands

run() {
  local workers
  if finished; then
    note "$workdir is trained to the end"
    tidy
    return
  fi
  check_commit
  ensure_ready
  workers=$(workers_condition)
  case $workers in
    busy) bad_input "--name: '$name' trains something else; use another name" ;;
    running | "ended 0") ;;
    *)
      set_up
      on_workers all start "${flags[@]}"
      assumed_workers="ended 0"
      ;;
  esac
  follow
}

# Each try is a new process, so that an error ends only that try.
try() {
  local code
  while true; do
    code=0
    "$0" run "$@" --tries=1 || code=$?
    if [[ $code != "$STOPPED" || $tries == 1 ]]; then exit "$code"; fi
    tries=$((tries - 1))
    sleep "$poll"
  done
}

status() {
  local now
  now=$(state)
  note "$name: $now"
  if [[ $now == ACTIVE/READY ]]; then on_workers all status; fi
}

logs() { on_workers all logs; }

delete() {
  local now
  now=$(state)
  if [[ $now == ABSENT ]]; then
    say "$name: there is no such queued resource"
  else
    remove
  fi
}

# ---- the queued resource

# ABSENT, or the state of the queued resource, followed by that of its node if ACTIVE.
state() {
  local resource node
  if [[ $dry_run == true ]]; then
    list queued-resources 'value(state.state)'
    echo "$assumed_state"
    return
  fi
  resource=$(list queued-resources 'value(state.state)')
  if [[ $resource == ACTIVE ]]; then
    node=$(list tpu-vm 'value(state)')
    resource=ACTIVE/${node:-ABSENT}
  fi
  echo "${resource:-ABSENT}"
}

# `list`, not `describe`, which fails for a missing resource as for any other error.
list() {
  call gcloud compute tpus "$1" list "${where[@]}" --filter="name ~ \"(^|/)$name\$\"" \
    --format="$2"
}

ensure_ready() {
  local now before="" created=false
  while true; do
    now=$(state)
    if [[ $now != "$before" ]]; then note "$name: $now"; fi
    before=$now
    case $now in
      ACTIVE/READY) return ;;
      ABSENT)
        create
        created=true
        ;;
      FAILED | SUSPENDED | ACTIVE/ABSENT | ACTIVE/PREEMPTED | ACTIVE/STOPPED | ACTIVE/TERMINATED)
        if [[ $created == true ]]; then give_up "$now"; fi
        remove
        ;;
      *) call sleep "$poll" ;;
    esac
  done
}

give_up() {
  if [[ $1 == FAILED ]]; then
    say "$name: the request failed; gcloud compute tpus queued-resources describe shows why"
    exit "$FAILED"
  fi
  say "$name was preempted ($1); call again to go on"
  exit "$STOPPED"
}

create() {
  local spot_flag=()
  if [[ $spot == true ]]; then spot_flag=(--spot); fi
  call gcloud compute tpus queued-resources create "$name" "${where[@]}" \
    --node-id="$name" --accelerator-type="$type" --runtime-version="$runtime" \
    "${spot_flag[@]}"
  assumed_state=ACTIVE/READY
}

remove() {
  call gcloud compute tpus queued-resources delete "$name" "${where[@]}" --force --quiet
}

# ---- the workers

on_workers() {
  local remote
  printf -v remote '%q ' bash worker.sh "${@:2}"
  # A worker that was never set up has no status.
  if [[ $2 == status ]]; then remote="[ ! -e worker.sh ] || $remote"; fi
  call gcloud compute tpus tpu-vm ssh "$name" "${where[@]}" --worker="$1" \
    --command="$remote"
}

check_commit() {
  if [[ $dry_run == true ]]; then return; fi
  git -C "$root" cat-file -e "HEAD:${config%%:*}" 2>/dev/null ||
    bad_input "--config: '$config' is not committed; commit it, workers get the commit"
  if [[ -n $(git -C "$root" status --porcelain) ]]; then
    say "uncommitted changes are not copied to the workers"
  fi
}

set_up() {
  local folder=FOLDER
  if [[ $dry_run == false ]]; then
    folder=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder's current value
    trap "rm -rf '$folder'" EXIT
  fi
  call git -C "$root" bundle create --quiet "$folder/repjax.bundle" HEAD
  call gcloud compute tpus tpu-vm scp "$folder/repjax.bundle" "$root/launch/worker.sh" \
    "$name:." "${where[@]}" --worker=all
  on_workers all setup "$extras"
}

# Print the deciding one of all workers' conditions (see worker.sh), or unreachable.
workers_condition() {
  local answer condition
  if [[ $dry_run == true ]]; then
    on_workers all status "${flags[@]}"
    echo "$assumed_workers"
    return
  fi
  if ! answer=$(on_workers all status "${flags[@]}"); then
    echo unreachable
    return
  fi
  # The processes of a slice share one fate: if one was stopped, others abort.
  for condition in busy running "ended 2" "ended 75" "ended 143" lost idle; do
    if grep -qx "repjax-worker: $condition" <<<"$answer"; then
      echo "$condition"
      return
    fi
  done
  sed -n 's/^repjax-worker: //p' <<<"$answer" | sort -k 2n | tail -n 1
}

follow() {
  local workers now
  while true; do
    on_workers 0 follow || true # a lost connection does not stop the workers
    workers=$(workers_condition)
    case $workers in
      "ended 0") break ;;
      "ended 75" | "ended 143" | lost)
        say "$name: stopped after a checkpoint ($workers); call again to go on"
        exit "$STOPPED"
        ;;
      ended*)
        say "$name: repjax.main $workers; launch/tpu_vm.sh logs shows why"
        if [[ $workers == "ended 2" ]]; then exit "$BAD_INPUT"; fi
        exit "$FAILED"
        ;;
      unreachable)
        now=$(state)
        if [[ $now != ACTIVE/READY ]]; then give_up "$now"; fi
        ;;
    esac
    sleep "$poll"
  done
  mark_finished
  note "$workdir is trained to the end"
  tidy
}

tidy() {
  if [[ $keep == false ]]; then delete; fi
}

# ---- the mark of a finished workdir, so that no VM is created for it again

finished() {
  if [[ $workdir != gs://* ]]; then return 1; fi
  if [[ $dry_run == true ]]; then
    call gcloud storage cat "$workdir/launched"
    return 1
  fi
  [[ $(gcloud storage cat "$workdir/launched" 2>/dev/null) == "${flags[*]}" ]]
}

mark_finished() {
  if [[ $workdir != gs://* ]]; then return; fi
  call gcloud storage cp - "$workdir/launched" <<<"${flags[*]}"
}

main "$@"
