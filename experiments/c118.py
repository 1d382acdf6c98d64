"""C118: both networks of the paper, as in its Table 3.

Command: repjax train --config=c118 --workdir=runs/c118
Cost: not measured; close to C113.
Result: not trained yet.
"""

from ml_collections import ConfigDict

from experiments import base


def get_config() -> ConfigDict:
    """Four seeds of the MLP and of the transformer on C118."""
    config = base.get_config()
    config.groups = ("C118",)
    config.architectures = ("mlp", "transformer")
    config.num_steps = 250_000
    config.train_fraction = 0.3
    config.overrides = (("*/transformer", "num_steps", 50_000),)
    return config
