"""The names of array axes used in every signature, and a few array aliases.

| axis         | length                                                            |
|--------------|-------------------------------------------------------------------|
| `run`        | networks of one cell, stacked (only `ensemble.py` sees this axis)  |
| `evaluation` | log-spaced steps at which everything is measured                  |
| `pair`       | pairs (a, b) of group elements: all n², the training ones, a block |
| `train`      | the training pairs of one run                                     |
| `group`      | n, the elements of the group                                      |
| `irrep`      | real irreps of the group, `trivial` first                         |
| `dim`        | real dimension d of one irrep                                     |
| `hidden`     | neurons after the nonlinearity                                    |
| `embed`      | width of one factor's embedding in the MLP                        |
| `model`      | residual stream of the transformer                                |
| `head`       | attention heads                                                   |
| `vocab`      | output classes c, equal to `group`                                |
"""

from typing import Any

from jaxtyping import Array, Bool, Float, Int, Key

Params = Any
"""Weights of one run: the nested dict that flax's `init` returns."""

Scalar = Float[Array, ""]

__all__ = ["Array", "Bool", "Float", "Int", "Key", "Params", "Scalar"]
