"""Parts of a dataset that nobody trained, with known rows."""

from repjax.dataset.rows import GroupFacts, Part
from repjax.groups.facts import IrrepFacts
from repjax.report.merging import merge
from repjax.storage.results import CellResults
from tests.made_up import IRREPS

S4 = GroupFacts(
    order=24,
    small_group="SmallGroup(24,12)",
    irreps={
        name: IrrepFacts(name, dim, "real", kernel, orbit)
        for name, dim, kernel, orbit in zip(
            IRREPS, (1, 1, 2, 3), (24, 12, 4, 1), range(4), strict=True
        )
    },
)


def make_part(*results: CellResults, energies=None) -> Part:
    """All runs of these results, which must differ only in their seed."""
    (merged,) = merge(results)
    cells = [one.cell for one in results]
    return Part(merged.results.cell.name, S4, merged, cells, energies or {})
