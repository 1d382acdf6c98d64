"""Draw which groups of order 2 to 24 generalise at which train fraction.

python results/small_groups_to_24/plot.py FILE.svg
"""

import csv
import re
import sys
from collections import Counter
from pathlib import Path

from matplotlib.figure import Figure

from repjax.groups.library import structure_of
from repjax.metrics import GENERALISED

COLUMNS = 3


def main(out: str) -> None:
    """Read seeds.csv beside this file and write the figure."""
    rows = list(csv.DictReader(Path(__file__).with_name("seeds.csv").open()))
    runs, generalised = Counter(), Counter()
    for row in rows:
        key = row["group"], row["train_fraction"]
        runs[key] += 1
        generalised[key] += float(row["test_accuracy"]) >= GENERALISED
    groups = sorted({group for group, _ in runs}, key=numbers)
    fractions = sorted({fraction for _, fraction in runs})
    per_column = -(-len(groups) // COLUMNS)
    figure = Figure(figsize=(9, 0.19 * per_column + 0.9), layout="constrained")
    for k, axes in enumerate(figure.subplots(1, COLUMNS)):
        some = groups[k * per_column : (k + 1) * per_column]
        shares = [
            [generalised[g, f] / runs[g, f] if runs[g, f] else 0 for f in fractions]
            for g in some
        ]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for y, group in enumerate(some):
            for x, fraction in enumerate(fractions):
                count = generalised[group, fraction]
                color = "white" if count > 5 else "black"
                axes.text(
                    x, y, count or "", ha="center", va="center", size=6.5, color=color
                )
        names = [f"{structure_of(g)}  {'.'.join(map(str, numbers(g)))}" for g in some]
        axes.set_yticks(range(len(some)), names, size=6.5)
        axes.set_xticks(range(len(fractions)), fractions, size=7)
        axes.set_xlabel("train fraction", size=8)
        axes.tick_params(length=0)
    figure.suptitle(
        "Runs of 8 that generalised: groups by structure, order.number", size=9
    )
    figure.savefig(out, metadata={"Date": None})


def numbers(name: str) -> list[int]:
    """Return order and number in a name."""
    return [int(word) for word in re.findall(r"\d+", name)]


if __name__ == "__main__":
    main(*sys.argv[1:])
