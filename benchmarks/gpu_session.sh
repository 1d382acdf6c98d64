#!/usr/bin/env bash
# Make the most of a short time on a GPU:
#
#   benchmarks/gpu_session.sh OUT MINUTES
#
# In this order: the quickstart with an empty compilation cache and with a warm one,
# rows of the accelerator benchmark, torch on the same card (if it is installed), the
# time to the first step (of A5 also without autotuning), and full-length cells of
# Table 3 in TF32, cheapest first.
# Everything is in OUT as soon as it is measured: session.log has a line for each part,
# NAME.log its output, *.json the rows, table3/ the cells. A part that would begin too
# late is skipped; one that is still running near the end is stopped, and a later session
# with the same OUT resumes it.
#
# Environment: PYTHON, the interpreter (.venv/bin/python); SMALL=1, a trial of a few
# minutes on a CPU: few steps, small rows and one cell.
set -euo pipefail

if [[ $# != 2 || ! $2 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: benchmarks/gpu_session.sh OUT MINUTES" >&2
  exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
deadline=$(($(date +%s) + 60 * $2))
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-.venv/bin/python}
small=${SMALL:-0}
last_words=20 # seconds that a stopped part has for its checkpoint
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
export XDG_CACHE_HOME=$cache
unset JAX_COMPILATION_CACHE_DIR

# NAME SECONDS COMMAND...: run a part if so many seconds are left, as long as time lasts.
part() {
  local name=$1 least=$2 code=0 begin left
  shift 2
  begin=$(date +%s)
  left=$((deadline - begin - last_words))
  if ((left < least)); then
    echo "$name: skipped, $left s left" | tee -a "$out/session.log"
    return
  fi
  timeout --kill-after="$last_words" "$left" "$python" "$@" \
    >>"$out/$name.log" 2>&1 || code=$?
  echo "$name: exit code $code after $(($(date +%s) - begin)) s" |
    tee -a "$out/session.log"
}

quickstart() {
  local flags=()
  if [[ $small = 1 ]]; then flags=(--config.num_steps=20); fi
  rm -rf "$out/quickstart_$1"
  part "quickstart_$1" 10 -m repjax.main --config=experiments/quickstart.py \
    "${flags[@]}" --workdir="$out/quickstart_$1"
}

# CELL PRECISION
rows() {
  local flags=()
  if [[ $small = 1 ]]; then flags=(--small --budget=0.1); fi
  part "accelerator_$1_$2" 30 -m benchmarks.accelerator --cells="$1" --precisions="$2" \
    "${flags[@]}" --out="$out/accelerator_$1_$2.json"
}

# CELL RUNS
peers() {
  part "peers_$1" 60 -m benchmarks.train_step --cells="$1" --runs="$2" \
    --precision=default --out="$out/peers_$1.json"
}

# GROUP ARCHITECTURE SECONDS
cell() {
  local flags=()
  if [[ $small = 1 ]]; then
    flags=(--config.num_steps=20 --config.num_seeds=1)
    flags+=(--config.evaluation.num_evaluations=2)
  fi
  part "table3_$1_$2" "$3" -m repjax.main --config=experiments/table3.py \
    --config.groups="$1" --config.architectures="$2" \
    --config.matmul_precision=default "${flags[@]}" --workdir="$out/table3"
}

quickstart cold
quickstart warm
rows a5-mlp default
if [[ $small = 1 ]]; then
  cell A5 mlp 10
  exit
fi
for name in s6-mlp s5-mlp s6-transformer; do rows "$name" default; done
rows a5-mlp highest
peers a5-mlp 64,1000
peers s5-mlp 64
peers s6-mlp 4
part startup 90 -m benchmarks.startup --cells=a5-mlp,s6-mlp --out="$out/startup.json"
# The difference is what autotuning costs.
XLA_FLAGS="--xla_gpu_autotune_level=0" part startup_untuned 60 \
  -m benchmarks.startup --cells=a5-mlp --out="$out/startup_untuned.json"
for group in A5 C113 C118 D59 D61 S5; do cell "$group" mlp 30; done
for group in A5 C113 C118 D59 D61 S5; do cell "$group" transformer 30; done
cell S6 mlp 120
cell S6 transformer 120
