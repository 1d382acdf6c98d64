"""S6: both networks of the paper, as in its Table 3.

Command: repjax train --config=s6 --workdir=runs/s6
Cost: on 2 cores, from single steps, MLP more than 3 days (0.3 s a run and step),
transformer nearly 3 days (3.0 s). For a GPU.
Result: not trained yet.
"""

from ml_collections import ConfigDict

from experiments import base


def get_config() -> ConfigDict:
    """Four seeds of the MLP and of the transformer on S6."""
    config = base.get_config()
    config.groups = ("S6",)
    config.architectures = ("mlp", "transformer")
    config.num_steps = 250_000
    config.train_fraction = 0.25
    config.overrides = (
        ("*/transformer", "num_steps", 20_000),
        ("*/transformer", "train_fraction", 0.4),
    )
    return config
