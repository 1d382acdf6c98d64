"""Everything that one run is at one moment."""

import optax
from flax import struct

from repjax.typing import Array, Int, Params


class RunState(struct.PyTreeNode):
    """State of one run: restoring it and training on gives the same bits.

    Attributes:
        step: optimiser steps taken.
        params: weights.
        opt_state: AdamW's moments.
        train_pairs: indices a·n + b of the training pairs, increasing.
    """

    step: Int[Array, ""]
    params: Params
    opt_state: optax.OptState
    train_pairs: Int[Array, " train"]
