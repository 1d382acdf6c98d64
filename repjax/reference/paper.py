"""The paper's Table 3: its numbers, and the settings of its runs.

Chughtai, Chan, Nanda, "A Toy Model of Universality", ICML 2023. `paper_table3.csv` in
this folder holds its numbers for 7 groups × 2 architectures, in fractions and nats:
source `published` as printed, source `exact` as computed from the authors' published
weights with the errata corrected. `paper_settings.csv` has the training settings in
which the 14 cells differ, from the cfg.json of their runs.
"""

import csv
import io
from functools import lru_cache
from importlib.resources import files
from typing import Any

from repjax.groups import build_group
from repjax.groups.identify import are_isomorphic
from repjax.reference.formats import PAPER
from repjax.settings.architectures import concerns
from repjax.settings.config import CellConfig


@lru_cache
def paper_values() -> dict[tuple[str, str, str, str], float]:
    """Return the paper's numbers by (group, architecture, source, metric)."""
    return {
        (row["group"], row["architecture"], row["source"], metric): float(value)
        for row in _rows("paper_table3.csv")
        for metric, value in row.items()
        if metric not in ("group", "architecture", "source")
    }


@lru_cache
def paper_settings() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the settings of the paper's runs by (group, architecture)."""
    return {
        (row["group"], row["architecture"]): {
            "num_steps": int(row["num_steps"]),
            "train_fraction": float(row["train_fraction"]),
            **PAPER,
        }
        for row in _rows("paper_settings.csv")
    }


@lru_cache(maxsize=4096)
def paper_group(name: str) -> str | None:
    """Return the paper's name of a group, "A5" for "PSL(2,5)", or None.

    The multiplication table decides, not the name: a file called A5.csv is the paper's
    A5 only if it holds that group. Also None for a file that cannot be read.
    """
    known = {group for group, _ in paper_settings()}
    if name in known:
        return name
    try:
        group = build_group(name)
    except ValueError:
        return None
    for other in sorted(known):
        theirs = build_group(other)
        if theirs.order == group.order and are_isomorphic(theirs, group):
            return other
    return None


def unlike_paper(cell: CellConfig) -> dict[str, Any]:
    """Return the paper's values of the settings in which a cell differs from it.

    Compared are the task, the number of steps, the train fraction, AdamW and the sizes
    of the network; not seeds, evaluations, checkpoints or precision. Empty for groups
    and networks that the paper does not have.
    """
    name = paper_group(cell.group), cell.architecture
    if name not in paper_settings():
        return {}
    ours = cell.flat
    return {
        key: theirs
        for key, theirs in paper_settings()[name].items()
        if concerns(key.partition(".")[0], cell.architecture) and ours[key] != theirs
    }


def _rows(name: str) -> list[dict[str, str]]:
    text = files("repjax.reference").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text)))
