"""A5: both networks of the paper, as in its Table 3.

Command: repjax train --config=a5 --workdir=runs/a5
Cost: on 2 cores, MLP 14 minutes (300 steps of all 4 runs a second); transformer, from
its first 3,500 steps, 1 hour 52 minutes (37 steps of all 4 runs a second).
Result: MLP 4 of 4 at test accuracy 1.0, the table in results/a5_mlp; transformer not
trained yet.
"""

from ml_collections import ConfigDict

from experiments import base


def get_config() -> ConfigDict:
    """Four seeds of the MLP and of the transformer on A5."""
    config = base.get_config()
    config.groups = ("A5",)
    config.architectures = ("mlp", "transformer")
    config.num_steps = 250_000
    config.train_fraction = 0.5
    config.overrides = (("*/transformer", "train_fraction", 0.6),)
    return config
