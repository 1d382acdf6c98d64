"""One number from a dataset, in pandas and in polars.

python -m repjax.dataset --workdir=DIR --out=DATASET
python examples/load_dataset.py DATASET

The number: the share of generalised runs whose first learned key irrep has the lowest
dimension of all its key irreps ("lower dimension comes first").
"""

import sys
from pathlib import Path


def with_pandas(dataset: Path) -> float:
    """The share, by pandas; NaN if no run generalised."""
    import pandas as pd

    runs = pd.read_parquet(dataset / "runs.parquet")
    irreps = pd.read_parquet(dataset / "irreps.parquet")
    generalised = runs.loc[runs.generalised, ["cell", "seed", "key_irreps"]]
    key = irreps[irreps.is_key].merge(generalised, on=["cell", "seed"])
    is_first = key.irrep.astype(str) == key.key_irreps.str[0]
    lowest = key.groupby(["cell", "seed"], observed=True).dim.transform("min")
    return float((key.dim == lowest)[is_first].mean())


def with_polars(dataset: Path) -> float:
    """The share, by polars; NaN if no run generalised."""
    import polars as pl

    runs = pl.scan_parquet(dataset / "runs.parquet")
    irreps = pl.scan_parquet(dataset / "irreps.parquet")
    generalised = runs.filter("generalised").select("cell", "seed", "key_irreps")
    key = irreps.filter("is_key").join(generalised, on=["cell", "seed"])
    is_first = pl.col("irrep").cast(pl.String) == pl.col("key_irreps").list.first()
    has_lowest = pl.col("dim") == pl.col("dim").min().over("cell", "seed")
    share = key.select(has_lowest.filter(is_first).mean()).collect().item()
    return float("nan") if share is None else share


def main(dataset: Path) -> None:
    """Print the share, computed twice."""
    print(f"pandas: {with_pandas(dataset):.4f}")
    print(f"polars: {with_polars(dataset):.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
