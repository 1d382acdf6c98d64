"""Training again up to a step gives the weights that a snapshot kept."""

import numpy as np

from repjax.engine.progress import Progress
from repjax.engine.replay import seconds_to, weights_at
from repjax.storage.rounds import round_of
from repjax.storage.snapshots import load_snapshot
from tests.tiny import tiny_cell, train_cell


def test_each_run_has_its_weights_at_its_own_step(tmp_path):
    """To the bit, in any order of steps; one run at step 0."""
    cell = tiny_cell(checkpoint__snapshots=True)
    results = train_cell(cell, tmp_path, Progress())
    past = round_of(tmp_path / cell.name)
    assert past is not None
    steps = results.steps[[4, 0, 2]].tolist()
    found = weights_at(cell, steps)
    for run, step in enumerate(steps):
        kept = load_snapshot(past, step)
        assert kept.keys() == found.keys()
        for name, values in kept.items():
            np.testing.assert_array_equal(found[name][run], values[run], err_msg=name)


def test_estimate_grows_with_steps_and_runs():
    few, many = (tiny_cell(num_seeds=n, num_steps=10**6) for n in (2, 200))
    assert seconds_to(few, 100) < seconds_to(many, 10**5) < seconds_to(many, 10**6)
    assert seconds_to(few, 10**6) < seconds_to(many, 10**6)
