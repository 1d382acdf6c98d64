"""Select and order the irreps that the report shows for a run."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from repjax.statistics.universality import TRIVIAL
from repjax.storage.results import CellResults


def shown_irreps(results: CellResults, run: int) -> Bool[np.ndarray, " irrep"]:
    """Irreps with a line of their own: key at the end, or learned at some step."""
    shown = results.is_key[run] | np.isfinite(results.learned_step[run])
    return shown & (np.array(results.irreps) != TRIVIAL)


def in_order_of_learning(results: CellResults, run: int) -> Sequence[str]:
    """Irreps by the step at which the run learned them; others by similarity."""
    similarity = results.final("logit_similarity")[run]
    order = np.lexsort((-similarity, results.learned_step[run]))
    return [results.irreps[i] for i in order]
