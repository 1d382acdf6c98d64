"""Pairs of groups with equal character tables: do networks learn them alike?

D4 and Q8, D8 and Q16, D12 and Dic6, D52 and Dic26, and the two non-abelian groups of
order 27. Their real irreps differ in type where a twin's is quaternionic.

Command: repjax train --config=twins --workdir=runs/twins
Cost: 5 min 21 s on 2 cores beside other work.
Result: the twin with quaternionic irreps is harder to learn. D4 generalises in 2 of 8
runs and Q8 in none, D8 in 7 and Q16 in none, D12 in 8 and Dic6 in 3; of order 27
neither group does; D52 and Dic26, at their own settings, in 4 of 4 each. Of those
two the logits are 88 and 78 % bi-equivariant (medians; results/twins).
"""

from ml_collections import ConfigDict

from experiments import base

PAIRS = (
    ("D4", "Q8"),
    ("D8", "Q16"),
    ("D12", "Dic6"),
    ("Heisenberg(3)", "SmallGroup(27,4)"),
    ("D52", "Dic26"),
)


def get_config() -> ConfigDict:
    """Eight seeds on each, four of the last pair; a pair trains together."""
    config = base.get_config()
    config.groups = tuple(group for pair in PAIRS for group in pair)
    config.num_seeds = 8
    config.num_steps = 20_000
    config.train_fraction = 0.8
    config.mlp.embed_dim = 64
    config.mlp.hidden_dim = 64
    config.overrides = tuple(
        (f"{group}/mlp", key, value)
        for group in PAIRS[-1]
        for key, value in (
            ("num_seeds", 4),
            ("num_steps", 5_000),
            ("train_fraction", 0.6),
            ("optimizer.weight_decay", 2.0),
            ("mlp.hidden_dim", 128),
        )
    )
    config.evaluation.num_evaluations = 30
    return config
