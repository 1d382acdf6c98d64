"""D61: both networks of the paper, as in its Table 3.

Command: repjax train --config=d61 --workdir=runs/d61
Cost: not measured; MLP close to C113's, transformer twice that.
Result: not trained yet.
"""

from ml_collections import ConfigDict

from experiments import base


def get_config() -> ConfigDict:
    """Four seeds of the MLP and of the transformer on D61."""
    config = base.get_config()
    config.groups = ("D61",)
    config.architectures = ("mlp", "transformer")
    config.num_steps = 250_000
    config.train_fraction = 0.3
    config.overrides = (("*/transformer", "num_steps", 100_000),)
    return config
