"""Steps at which runs are evaluated."""

import numpy as np


def evaluation_steps(num_steps: int, num_evaluations: int) -> np.ndarray:
    """Return log-spaced steps at which to evaluate: 0, 1, …, `num_steps`.

    There are fewer than `num_evaluations` where neighbours round to the same step.
    """
    spaced = np.geomspace(1, num_steps, max(num_evaluations - 1, 1))
    return np.unique(np.concatenate([[0], np.round(spaced).astype(int), [num_steps]]))
