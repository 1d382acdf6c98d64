"""Every group of order 2 to 31, or up to another order on request.

Command: repjax train --config=small_groups --workdir=runs/small
With --config=small_groups:24 those of order up to 24, at most to 100.
Cost: 17 min on 2 cores beside much other work, announced as 6.
Result: all 736 runs fit their training pairs; 185 generalise: of order 2 to 15 9 of
216, 16 to 24 95 of 368, 25 to 31 81 of 152. C3^3, D14, C2xC14 and D15 do in 8 of 8,
the non-abelian groups of order 27 in none (results/small_groups). Over train fractions,
to order 24: docs/groups.md.
"""

from ml_collections import ConfigDict

from experiments import base

# Groups of order 1, 2, …, 100 up to isomorphism: OEIS A000001.
COUNTS = (
    1, 1, 1, 2, 1, 2, 1, 5, 2, 2, 1, 5, 1, 2, 1, 14, 1, 5, 1, 5,
    2, 2, 1, 15, 2, 2, 5, 4, 1, 4, 1, 51, 1, 2, 1, 14, 1, 2, 2, 14,
    1, 6, 1, 4, 2, 2, 1, 52, 2, 5, 1, 5, 1, 15, 2, 13, 2, 2, 1, 13,
    1, 2, 4, 267, 1, 4, 1, 5, 1, 4, 1, 50, 1, 2, 3, 4, 1, 6, 1, 52,
    15, 2, 1, 15, 1, 2, 1, 12, 1, 10, 1, 4, 2, 2, 1, 231, 1, 5, 2, 16,
)  # fmt: skip


def get_config(largest: str = "31") -> ConfigDict:
    """Eight seeds of a small MLP on each; groups of one order train together."""
    if not largest.isdecimal() or not 2 <= int(largest) <= len(COUNTS):
        raise ValueError(f"{largest!r} is not an order; use one from 2 to 100")
    config = base.get_config()
    config.groups = tuple(
        f"SmallGroup({order},{number})"
        for order, count in enumerate(COUNTS[: int(largest)], 1)
        for number in range(1, count + 1)
        if order > 1
    )
    config.num_seeds = 8
    config.num_steps = 10_000
    config.train_fraction = 0.7
    config.mlp.embed_dim = 64
    config.mlp.hidden_dim = 64
    config.evaluation.num_evaluations = 30
    return config
