"""Tables of groups from files, kept with the cells that were trained on them.

The folder of such a cell holds `group.npz`: `table`, `sha256` of the table, and
`elements`, the names of the elements if the file has them. So a workdir can be read
where the file is gone, and runs are never analysed with another group than their own.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from repjax.groups import Group, build_group
from repjax.groups.names import is_group_file, keep_group
from repjax.settings.config import CellConfig
from repjax.settings.rules import ConfigError
from repjax.storage.files import write_atomically

GROUP_TABLE = "group.npz"


def store_group(cell: CellConfig, directory: Path) -> None:
    """Write the table of a cell's group into the cell's folder, if it is a file."""
    if not is_group_file(cell.group):
        return
    group = build_group(cell.group)
    small = np.min_scalar_type(group.order - 1)
    arrays: dict[str, Any] = {
        "table": group.table.astype(small),
        "sha256": np.array(_digest(group)),
    }
    if group.elements is not None:
        arrays["elements"] = np.array(group.elements)
    path = directory / GROUP_TABLE
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


def recall_group(cell: CellConfig, directory: Path) -> None:
    """Let `build_group` know the group that a cell was trained on.

    Nothing happens for groups by name, and for cells without a stored table.

    Raises:
        ConfigError: the stored table is damaged, the cell's file now holds something
            else, or another cell had another group under the name of this file.
    """
    path = directory / GROUP_TABLE
    if not is_group_file(cell.group) or not path.exists():
        return
    group = _read(path, Path(cell.group).stem)
    try:
        keep_group(cell.group, group)
        known = build_group(cell.group)
    except ValueError as error:
        raise ConfigError(f"{directory}: {error}") from None
    if _digest(known) != _digest(group):
        raise ConfigError(
            f"{directory}: '{cell.group}' now holds another table than at training; "
            f"put the old one back (it is in {path}), or use another --workdir"
        )


def _read(path: Path, name: str) -> Group:
    try:
        with path.open("rb") as file, np.load(file) as archive:
            arrays = dict(archive)
        elements = arrays.get("elements")
        group = Group(
            name,
            arrays["table"].astype(np.int32),
            elements=None if elements is None else tuple(elements.tolist()),
        )
        if _digest(group) != str(arrays["sha256"]):
            raise ValueError("its digest differs")
    except Exception as error:  # zipfile, zlib and numpy each have their own
        raise ConfigError(
            f"{path}: not a readable table of a group ({error}); remove it to read "
            "the group from its file"
        ) from None
    return group


def _digest(group: Group) -> str:
    """Return the SHA-256 of a table as little-endian 32-bit integers."""
    return hashlib.sha256(group.table.astype("<i4").tobytes()).hexdigest()
