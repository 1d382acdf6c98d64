"""Settings that a sweep varies, as columns of tables."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from repjax.settings.architectures import concerns
from repjax.settings.config import flatten
from repjax.storage.results import CellResults


@dataclass(frozen=True)
class SweptSettings:
    """Columns of the swept settings.

    Attributes:
        keys: dotted keys of all swept settings, in the order of their first cell.
        values: for each cell, the text of its value of every key.
    """

    keys: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]


def swept_settings(cells: Sequence[CellResults]) -> SweptSettings:
    """Return the swept settings of these cells, and the value that each cell has.

    A cell that does not sweep a key itself has its ordinary value in that column, and
    an empty text if the key does not concern its architecture.
    """
    keys = tuple(dict.fromkeys(key for one in cells for key in one.cell.swept))
    return SweptSettings(keys, tuple(_texts(one, keys) for one in cells))


def _texts(results: CellResults, keys: Sequence[str]) -> tuple[str, ...]:
    values = flatten(asdict(results.cell))
    architecture = results.cell.architecture
    return tuple(
        str(values[key]) if concerns(key.partition(".")[0], architecture) else ""
        for key in keys
    )
