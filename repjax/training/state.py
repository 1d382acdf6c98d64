"""State of one run, and the settings that it carries as data."""

from typing import Any

import optax
from flax import struct

from repjax.training.optim import AdamW
from repjax.typing import Params


class RunState(struct.PyTreeNode):
    """State of one run; training on from a restored state gives the same bits.

    The arrays are not typed: the same tree also holds stacked runs, NumPy arrays on
    their way to a file, and bare shapes.

    Attributes:
        step: optimiser steps taken, an int32 scalar; fewer than its cell's if its loss
            became non-finite, which ends its training.
        params: weights.
        opt_state: AdamW's moments.
        train_pairs: indices a·n + b of the training pairs, increasing int32, then n² as
            padding.
    """

    step: Any
    params: Params
    opt_state: optax.OptState
    train_pairs: Any


class RunData(struct.PyTreeNode):
    """Settings of one run that are data: runs that differ in them share a program.

    Attributes:
        seed: uint32, the only source of randomness.
        num_pairs: training pairs, int32.
        optimizer: settings of AdamW, float32.
        initial: attributes of the network that affect only its initial weights.
        basis: index of its group and task in the program, int32.
    """

    seed: Any
    num_pairs: Any
    optimizer: AdamW
    initial: dict[str, Any]
    basis: Any
