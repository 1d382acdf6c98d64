"""The law of selection against weight decay: 1,000 seeds each, for an accelerator.

Each run takes the same number of steps, whatever it has learned by then: that is the
stopping rule. Runs that have not generalised at the end are counted and left out of the
law. On 2 cores: selection_small.

Command: repjax train --config=selection --workdir=runs/law
Cost: 8 groups × 5 weight decays; --dry_run estimates it.
Result: not run yet in full; part of it on 2 cores is in results/selection.
"""

from ml_collections import ConfigDict

from experiments import base, selection_small


def get_config() -> ConfigDict:
    """Small groups and A5, each at five weight decays."""
    config = selection_small.get_config()
    config.groups = (*selection_small.GROUPS, "A5")
    config.sweep = (("optimizer.weight_decay", selection_small.WEIGHT_DECAYS),)
    config.evaluation.num_evaluations = 100
    paper = base.get_config()
    config.overrides = (
        *config.overrides,
        ("A5/*", "num_steps", 60_000),
        ("A5/*", "train_fraction", 0.5),
        ("A5/*", "mlp.embed_dim", paper.mlp.embed_dim),
        ("A5/*", "mlp.hidden_dim", paper.mlp.hidden_dim),
        ("A5/*", "optimizer.learning_rate", paper.optimizer.learning_rate),
    )
    return config
