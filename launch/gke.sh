#!/usr/bin/env bash
# Train a sweep on GKE: in shards (gke/indexed_job.yaml) or on one slice (gke/jobset.yaml).
#
#   launch/gke.sh COMMAND --name=NAME --shards=N [--FLAG=VALUE]...
#   launch/gke.sh COMMAND --name=NAME --hosts=N  [--FLAG=VALUE]...
#
# Commands
#   run     apply the manifest and wait for the end. Kubernetes restarts preempted pods.
#           Call it again at any time: it waits for a running job, replaces a failed one,
#           and leaves a finished one alone.
#   status  print the state of the job and of its pods
#   logs    print the log of every pod
#   delete  delete the job and its pods; the workdir stays
#
# Flags
#   --name             name of the job
#   --shards           number of parts; part i trains into WORKDIR/shard-i-of-N, in a pod
#                      with a single-host slice of its own
#   --hosts            hosts of the slice, which all train everything together
#   --namespace        default: that of kubectl's current context
# Only for run
#   --image            image built from launch/Dockerfile
#   --config           experiment in the image, such as experiments/table3.py
#   --config.KEY=VALUE its settings, as for repjax.main
#   --workdir          gs://BUCKET/DIR
#   --accelerator      such as tpu-v6e-slice (the default), tpu-v5-lite-podslice
#   --topology         topology of the slice; default 2x4 with --shards, 4x4 with --hosts
#   --chips            TPU chips of a host; default 8 with --shards, 4 with --hosts
#   --spot             use spot nodes
#   --at_once          most pods at one time; default: all shards
#   --service_account  Kubernetes account that may write to the bucket; default: default
#   --poll             seconds between two checks; default 30
#   --dry_run          print the commands and the manifest, run nothing
#
# With shards, make one table of all afterwards:
#   python -m repjax.table3 --workdir=WORKDIR/shard-{0..N-1}-of-N --out=DIR
# Exit codes: 0 done; 1 failed, `logs` shows why; 2 bad input.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=launch/lib.sh
source "$root/launch/lib.sh"

# shellcheck disable=SC2034 # read by name, in check_flag and fill_in
{
  name="" shards="" hosts="" namespace="" image="" config="" workdir=""
  accelerator=tpu-v6e-slice topology="" chips="" spot=false at_once=""
  service_account=default poll=30 dry_run=false
}

main() {
  local command=${1:-}
  case $command in
    run | status | logs | delete) ;;
    --help | -h | "") command=usage ;;
    *) bad_input "'$command' is not a command; use run, status, logs or delete" ;;
  esac
  parse_flags name shards hosts namespace image config workdir accelerator topology chips \
    spot at_once service_account poll dry_run -- "${@:2}"
  if [[ $command != usage ]]; then check_flags "$command"; fi
  "$command"
}

check_flags() {
  local label='[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?'
  check_flag name "$label" "lower-case letters, digits and hyphens, such as repjax-1"
  [[ -z $namespace ]] || check_flag namespace "$label" "a namespace of the cluster"
  kubectl=(kubectl ${namespace:+--namespace="$namespace"})
  choose_manifest
  if [[ $1 != run ]]; then return; fi
  check_flag image '[a-z0-9][-a-z0-9._/:@]*' "an image such as DOMAIN/PROJECT/repjax:TAG"
  check_flag workdir 'gs://[^ |&\]+' "gs://BUCKET/DIR"
  check_flag accelerator 'tpu[-a-z0-9]+' "a type such as tpu-v6e-slice"
  check_flag topology '[0-9]+(x[0-9]+){1,2}' "a topology such as 2x4 or 2x2x4"
  check_flag chips '[1-9][0-9]*' "the number of chips of a host, such as 4"
  check_flag at_once '[1-9][0-9]*' "a number of at least 1"
  check_flag service_account "$label" "a service account of Kubernetes"
  check_flag poll '[0-9]+([.][0-9]+)?' "seconds, such as 30"
  check_experiment
}

choose_manifest() {
  [[ -n $shards && -z $hosts || -z $shards && -n $hosts ]] ||
    bad_input "--shards=$shards and --hosts=$hosts: use one of them, --hosts for a slice"
  if [[ -n $shards ]]; then
    check_flag shards '[1-9][0-9]*' "the number of shards, at least 1"
    manifest=indexed_job.yaml kind=job pods=batch.kubernetes.io/job-name=$name
    topology=${topology:-2x4} chips=${chips:-8} at_once=${at_once:-$shards}
  else
    check_flag hosts '[1-9][0-9]*' "the number of hosts of the slice, at least 1"
    [[ -z $at_once ]] || bad_input "--at_once: not with --hosts, which train together"
    manifest=jobset.yaml kind=jobset pods=jobset.sigs.k8s.io/jobset-name=$name
    topology=${topology:-4x4} chips=${chips:-4} at_once=$hosts
  fi
}

run() {
  local now
  now=$(state)
  if [[ $now == Failed ]]; then
    note "$name failed before; starting again"
    delete
  fi
  apply
  wait_for_the_end
}

status() {
  local now
  now=$(state)
  note "$name: $now"
  call "${kubectl[@]}" get pods --selector="$pods"
}

logs() {
  call "${kubectl[@]}" logs --selector="$pods" --prefix --tail=-1 \
    --max-log-requests="${shards:-$hosts}"
}

delete() { call "${kubectl[@]}" delete "$kind" "$name" --ignore-not-found; }

apply() {
  if [[ $dry_run == true ]]; then
    show "${kubectl[@]}" apply --filename=-
    fill_in
  else
    fill_in | "${kubectl[@]}" apply --filename=-
  fi
}

wait_for_the_end() {
  local now before=""
  while true; do
    now=$(state)
    if [[ $now != "$before" ]]; then note "$name: $now"; fi
    before=$now
    case $now in
      Complete) return ;;
      Failed)
        say "$name failed; launch/gke.sh logs shows why, call again to start again"
        exit "$FAILED"
        ;;
    esac
    sleep "$poll"
  done
}

# Absent, Running, Complete or Failed.
state() {
  local conditions
  # Prints the kind, if the job exists, and every condition that is met.
  conditions=$(call "${kubectl[@]}" get "$kind" "$name" --ignore-not-found \
    --output='jsonpath={.kind}{range .status.conditions[?(@.status=="True")]} {.type}{end}')
  if [[ $dry_run == true ]]; then conditions="Job Complete"; fi
  case "$conditions " in
    " ") echo Absent ;;
    *" Failed "*) echo Failed ;;
    *" Complete "* | *" Completed "*) echo Complete ;;
    *) echo Running ;;
  esac
}

# Print the manifest with its values replaced by those of the flags.
fill_in() {
  local edits=() flag setting items=""
  for flag in name shards hosts image config workdir accelerator topology chips at_once \
    service_account; do
    # A number in quotes stays in quotes.
    edits+=(-e "s|: (\"?)[^\" ]*(\"?) # --$flag$|: \1${!flag}\2 # --$flag|")
  done
  if [[ $spot == false ]]; then edits+=(-e "/ # --spot$/d"); fi
  for setting in "${settings[@]}"; do
    items+="\\1- '$(yaml_quoted "$setting")'\\n"
  done
  edits+=(-e "s|^( *)# --config.KEY=VALUE$|$items\\1# --config.KEY=VALUE|")
  sed -E "${edits[@]}" "$root/launch/gke/$manifest"
}

# Escape a text for single quotes in YAML and for the replacement of sed.
yaml_quoted() { sed -e "s/'/''/g" -e 's/[\\&|]/\\&/g' <<<"$1"; }

main "$@"
