"""S5: both networks of the paper, as in its Table 3.

Command: repjax train --config=s5 --workdir=runs/s5
Cost: on 2 cores, MLP 40 minutes (105 steps of all 4 runs a second); transformer, from
single steps, 100 minutes (30 ms a run and step).
Result: MLP 4 of 4 at test accuracy 1.0, the table in results/c113_s5_mlp; transformer
not trained yet.
"""

from ml_collections import ConfigDict

from experiments import base


def get_config() -> ConfigDict:
    """Four seeds of the MLP and of the transformer on S5."""
    config = base.get_config()
    config.groups = ("S5",)
    config.architectures = ("mlp", "transformer")
    config.num_steps = 250_000
    config.train_fraction = 0.4
    config.overrides = (
        ("*/transformer", "num_steps", 50_000),
        ("*/transformer", "train_fraction", 0.6),
    )
    return config
