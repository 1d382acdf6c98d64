"""The groups of Wu et al. (ICLR 2025), on which they compare explanations.

"Towards a unified and verified understanding of group-operation networks": S4, A5,
AGL(1,11), A5xC2, GL(3,2), S3wrC2 and SmallGroup(96,227).

Command: repjax train --config=wu --workdir=runs/wu
Cost: 19 min on 2 cores beside much other work, announced as 9.
Result: S4, A5, SmallGroup(96,227) and A5xC2 generalise in 4 of 4 runs; S3wrC2 and
GL(3,2) are at test accuracy 0.63 after these 5,000 steps, AGL(1,11) at 0.02. Medians of
the bi-equivariant share of the logits: 95, 68, 85 and 76 %, against 51, 15 and 38 %;
of class functions 79, 39, 58 and 50 % (results/wu).
"""

from ml_collections import ConfigDict

from experiments import base


def get_config() -> ConfigDict:
    """Four seeds of the paper's MLP on each group."""
    config = base.get_config()
    config.groups = (
        "S4",
        "A5",
        "S3wrC2",
        "SmallGroup(96,227)",
        "AGL(1,11)",
        "A5xC2",
        "GL(3,2)",
    )
    config.num_steps = 5_000
    config.train_fraction = 0.6
    config.optimizer.weight_decay = 2.0
    config.overrides = (
        ("S4/*", "train_fraction", 0.9),
        ("A5/*", "train_fraction", 0.8),
    )
    config.evaluation.num_evaluations = 30
    return config
