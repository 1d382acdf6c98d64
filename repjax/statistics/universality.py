"""Strong universality: which irreps many runs learn, in which order, how many.

Chughtai et al. 2023, section 6: do networks that differ only in their seed learn the
same irreps? Only runs that generalised enter; the others are counted separately.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from repjax.statistics.intervals import Estimate, Share, mean, median, share
from repjax.statistics.phases import has_past
from repjax.storage.results import CellResults

Property = TypeVar("Property", bound=Hashable)
TRIVIAL = "trivial"


@dataclass(frozen=True)
class IrrepCount:
    """One irrep over all runs that generalised.

    Attributes:
        name: name of the irrep.
        dim: its real dimension.
        learned: runs in which it is key.
        places: runs in which it was learned first, second, …, up to the largest number
            of key irreps of a run. Only runs with a past are counted.
        step: median step at which runs with a past learned it.
    """

    name: str
    dim: int
    learned: Share
    places: tuple[Share, ...]
    step: Estimate | None


@dataclass(frozen=True)
class Universality:
    """Statistics over the runs of one group, architecture and setting.

    Attributes:
        num_runs: all runs.
        generalised: runs that generalised; all attributes below count only these.
        irreps: every non-trivial irrep, in the order of the group's irreps.
        num_key: number of key irreps → runs with that number.
        mean_num_key: mean number of key irreps.
        key_sets: set of key irreps, in the order of the group's irreps → runs that have
            it; the most frequent first.
        orders: the same for key irreps in order of learning, over runs with a past.
    """

    num_runs: int
    generalised: Share
    irreps: tuple[IrrepCount, ...]
    num_key: dict[int, Share]
    mean_num_key: Estimate | None
    key_sets: dict[tuple[str, ...], Share]
    orders: dict[tuple[str, ...], Share]


def universality(results: CellResults) -> Universality:
    """Compute these statistics; only runs with a past have an order of learning."""
    runs = np.flatnonzero(results.generalised)
    with_past = runs[has_past(results)[runs]]
    orders = {run: results.key_irreps(run) for run in runs.tolist()}
    known = [orders[run] for run in with_past.tolist()]
    num_key = [len(order) for order in orders.values()]
    num_places = max(map(len, known), default=0)

    def count(index: int, name: str) -> IrrepCount:
        steps = results.learned_step[with_past, index]
        learned = results.is_key[with_past, index] & np.isfinite(steps)
        return IrrepCount(
            name=name,
            dim=results.irrep_dims[index],
            learned=share(int(results.is_key[runs, index].sum()), len(runs)),
            places=tuple(
                share(sum(order[place : place + 1] == (name,) for order in known), n)
                for place in range(num_places)
            ),
            step=median(steps[learned]),
        )

    n = len(known)
    return Universality(
        num_runs=results.num_runs,
        generalised=share(len(runs), results.num_runs),
        irreps=tuple(
            count(index, name)
            for index, name in enumerate(results.irreps)
            if name != TRIVIAL
        ),
        num_key=dict(sorted(_shares(num_key).items())),
        mean_num_key=mean(num_key),
        key_sets=_shares(_key_set(results, run) for run in runs.tolist()),
        orders=_shares(known),
    )


def _key_set(results: CellResults, run: int) -> tuple[str, ...]:
    """Return the key irreps of a run, in the order of the group's irreps."""
    return tuple(
        name
        for name, key in zip(results.irreps, results.is_key[run], strict=True)
        if key
    )


def _shares(properties: Iterable[Property]) -> dict[Property, Share]:
    """Return the runs with each property, the most frequent first, ties by property."""
    counts = Counter(properties)
    total = counts.total()
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {property_: share(count, total) for property_, count in ranked}
