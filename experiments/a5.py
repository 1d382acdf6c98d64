"""A5: both networks of the paper, as in its Table 3.

Command: python -m repjax.main --config=experiments/a5.py --workdir=runs/a5
Cost: see README.
Result: see README.
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
