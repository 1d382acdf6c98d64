"""Time and memory of one cell of the paper: a training step, a full evaluation.

python benchmarks/cell.py --group=S6 --architecture=mlp --runs=1 [--out=F.json]

Settings are those of experiments/table3.py. Each figure is the median of `--repeats`
measurements after one that compiles; the peak of resident memory covers the process.
"""

import json
import resource
import time
from pathlib import Path

import jax
import numpy as np
from absl import app, flags

from experiments import table3
from repjax import backend
from repjax.config import from_config_dict
from repjax.ensemble import Ensemble
from repjax.manifest import commit, processor
from repjax.sweep import expand

_GROUP = flags.DEFINE_string("group", "S6", "A group of the paper's Table 3.")
_ARCHITECTURE = flags.DEFINE_string("architecture", "mlp", "mlp or transformer.")
_RUNS = flags.DEFINE_integer("runs", 1, "Networks trained together.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 3, "Steps per measurement.", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 3, "Measurements.", lower_bound=1)
_OUT = flags.DEFINE_string("out", None, "File for the figures as JSON.")


def main(_) -> None:
    """Measures and prints."""
    backend.prepare()
    config = table3.get_config()
    config.groups = (_GROUP.value,)
    config.architectures = (_ARCHITECTURE.value,)
    config.num_seeds = _RUNS.value
    (cell,) = expand(from_config_dict(config))
    ensemble = Ensemble(cell)
    state = ensemble.init()

    def train():
        nonlocal state
        state, _ = ensemble.train(state, _STEPS.value)
        jax.block_until_ready(state)

    step = median_seconds(train, _REPEATS.value) / _STEPS.value / _RUNS.value
    evaluation = median_seconds(lambda: ensemble.evaluate(state), _REPEATS.value)
    row = {
        "cell": cell.name,
        "runs": _RUNS.value,
        "ms_per_run_step": 1e3 * step,
        "seconds_per_evaluation": evaluation / _RUNS.value,
        "peak_rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "devices": [device.device_kind for device in ensemble.mesh.devices.flat],
        "processor": processor(),
        "jax": jax.__version__,
        "commit": commit(),
    }
    print(json.dumps(row, indent=2))
    if _OUT.value:
        Path(_OUT.value).write_text(json.dumps(row, indent=2) + "\n")


def median_seconds(action, repeats: int) -> float:
    """Median time of `action`, called once before to compile."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


if __name__ == "__main__":
    app.run(main)
