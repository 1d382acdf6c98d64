"""Every group of order 2 to 31 that a family gives: cyclic, dihedral, S_n and A_n.

Command: python -m repjax.main --config=experiments/small_groups.py --workdir=runs/small
Cost: 4 min 22 s on 2 cores, 30 compilations included.
Result: all 384 runs fit their training pairs; none of the groups of order up to 9
generalises, of those of order 26 to 31 the cyclic ones do in 33 of 48 runs, the
dihedral ones in 19 of 24. D12 does in 7 of 8, S4 in none (results/small_groups).
"""

from ml_collections import ConfigDict

from experiments import base

LARGEST_ORDER = 31


def get_config() -> ConfigDict:
    """Eight seeds of a small MLP on each; groups of one order train together."""
    config = base.get_config()
    config.groups = (
        *(f"C{n}" for n in range(2, LARGEST_ORDER + 1)),
        *(f"D{n}" for n in range(3, LARGEST_ORDER // 2 + 1)),
        *("S2", "S3", "S4", "A3", "A4"),
    )
    config.num_seeds = 8
    config.num_steps = 10_000
    config.train_fraction = 0.7
    config.mlp.embed_dim = 64
    config.mlp.hidden_dim = 64
    config.evaluation.num_evaluations = 30
    return config
