"""C113: both networks of the paper, as in its Table 3.

Command: repjax train --config=c113 --workdir=runs/c113
Cost: on 2 cores, MLP 29 minutes (145 steps of all 4 runs a second); transformer
57 minutes beside other work (19 steps of all 4 runs a second alone).
Result: MLP 4 of 4 at test accuracy 1.0, the table in results/c113_s5_mlp; transformer 3
of 4, the fourth at 0.9966, the table in results/c113_transformer.
"""

from ml_collections import ConfigDict

from experiments import base


def get_config() -> ConfigDict:
    """Four seeds of the MLP and of the transformer on C113."""
    config = base.get_config()
    config.groups = ("C113",)
    config.architectures = ("mlp", "transformer")
    config.num_steps = 250_000
    config.train_fraction = 0.3
    config.overrides = (("*/transformer", "num_steps", 50_000),)
    return config
