#!/usr/bin/env bash
# One worker of a TPU VM. tpu_vm.sh copies this file to every worker and calls it there.
#
#   worker.sh setup EXTRAS  check out repjax.bundle and install it with these extras
#   worker.sh start FLAG... train in the background, unless already training
#   worker.sh follow        print the log until training ends
#   worker.sh status FLAG...  one line: repjax-worker: idle, running, lost or ended CODE;
#                           busy if it trains, but not with these flags
#   worker.sh logs          print the log
#
# The training process itself holds the lock, so the lock is free once the process is gone,
# however it ended.
set -euo pipefail

cd
source=$PWD/repjax
venv=$PWD/repjax-venv
state=$PWD/repjax-run

setup() {
  local uv
  if [[ ! -d $source ]]; then git init -q "$source"; fi
  git -C "$source" fetch -q "$PWD/repjax.bundle" HEAD
  git -C "$source" checkout -q --force --detach FETCH_HEAD
  if cmp -s "$venv/made-from" <(made_from "$1"); then return; fi
  # These machines come with Python 3.10; uv installs a newer one.
  uv=$(sed -n 's/^UV := //p' "$source/Makefile")
  export PIP_BREAK_SYSTEM_PACKAGES=1
  python3 -m pip install --quiet --user "$uv"
  python3 -m uv venv --quiet --clear --python 3.12 "$venv"
  python3 -m uv pip install --quiet --python "$venv/bin/python" \
    --require-hashes --requirement "$source/requirements.lock"
  # Locked packages stay as they are; the extras add the others.
  python3 -m uv pip install --quiet --python "$venv/bin/python" \
    --editable "${source}[$1]"
  made_from "$1" >"$venv/made-from"
}

made_from() {
  echo "$1"
  cat "$source/requirements.lock"
}

start() {
  mkdir -p "$state"
  exec 9>"$state/lock"
  if ! flock -n 9; then return; fi
  rm -f "$state/exit_code"
  command_line "$@" >"$state/command"
  setsid nohup bash "$HOME/worker.sh" train "$@" </dev/null >>"$state/log" 2>&1 &
  echo $! >"$state/pid"
}

train() {
  local code=0
  # When the machine stops, every process is sent SIGTERM. This one waits for main's
  # checkpoint, and notes how it ended.
  trap : TERM
  cd "$source"
  "$venv/bin/python" -m repjax.main "$@" || code=$?
  echo "$code" >"$state/exit_code"
}

follow() {
  # --pid: until that process is gone.
  tail -n 20 -f --pid="$(cat "$state/pid")" "$state/log"
}

status() {
  echo "repjax-worker: $(condition "$@")"
}

condition() {
  local same=true
  # Without flags, any training counts as the same.
  (($# == 0)) || cmp -s "$state/command" <(command_line "$@") || same=false
  if [[ -e $state/lock ]] && ! flock -n "$state/lock" true; then
    if [[ $same == true ]]; then echo running; else echo busy; fi
  elif [[ $same == false ]]; then
    echo idle
  elif [[ -e $state/exit_code ]]; then
    echo "ended $(cat "$state/exit_code")"
  else
    echo lost # switched off, or killed together with the process that waited for it
  fi
}

command_line() { printf '%q ' "$@"; }

logs() { cat "$state/log"; }

"$@"
