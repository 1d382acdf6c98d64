"""AdamW as in the paper."""

from typing import Any

import optax
from flax import struct

from repjax.settings.config import OptimizerConfig


class AdamW(struct.PyTreeNode):
    """Settings of one run's optimiser as data, with the fields of `OptimizerConfig`.

    Runs with different values share a compiled program. The values are numbers or
    arrays, not typed: the same tree also holds those of stacked runs.
    """

    learning_rate: Any
    weight_decay: Any
    beta1: Any
    beta2: Any
    eps: Any


def build_optimizer(config: OptimizerConfig | AdamW) -> optax.GradientTransformation:
    """Return AdamW with decoupled weight decay on every weight, constant learning rate.

    `eps` is outside the square root, as in PyTorch. This affects results: weight decay
    balances the gradient at eps · decay · weight, so the final training loss is
    proportional to `eps`.
    """
    return optax.adamw(
        config.learning_rate,
        b1=config.beta1,
        b2=config.beta2,
        eps=config.eps,
        weight_decay=config.weight_decay,
    )
