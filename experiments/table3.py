"""The paper's Table 3: seven groups, both networks, four seeds, 56 runs.

Command: repjax train --config=table3 --workdir=runs/table3
On many machines: add --shard=i/n, i from 0 to n-1.
Cost: not measured as a whole; 1.0e17 operations, most of them for S6; --dry_run
estimates how long they take. For a GPU, or --shard=i/n on many machines.
Result: not trained yet as a whole; single cells in results/.
"""

from ml_collections import ConfigDict

from experiments import base


def get_config() -> ConfigDict:
    """The 14 cells, in the order of the paper's rows."""
    config = base.get_config()
    config.groups = ("C113", "C118", "D59", "D61", "S5", "S6", "A5")
    config.architectures = ("mlp", "transformer")
    config.num_steps = 250_000
    config.train_fraction = 0.3
    config.overrides = (
        ("C*/transformer", "num_steps", 50_000),
        ("D*/transformer", "num_steps", 100_000),
        ("S5/transformer", "num_steps", 50_000),
        ("S6/transformer", "num_steps", 20_000),
        ("S5/mlp", "train_fraction", 0.4),
        ("S5/transformer", "train_fraction", 0.6),
        ("S6/mlp", "train_fraction", 0.25),
        ("S6/transformer", "train_fraction", 0.4),
        ("A5/mlp", "train_fraction", 0.5),
        ("A5/transformer", "train_fraction", 0.6),
    )
    return config
