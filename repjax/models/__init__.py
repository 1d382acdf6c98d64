"""The networks, each written for one run.

Every network answers to the same methods, which is all that training and analysis know
of it. Of its weights, through `apply`: `__call__(left, right)` gives logits,
`factors()` the tables A and B, `neuron_inputs()` what each neuron receives from a and
from b, `unembedding()` the map U from hidden layer to logits, and `tables()` all that
pairs need, computed once for all of them. Of those tables, as pure functions:
`hidden(tables, left, right)`, the activations after the nonlinearity, a row for each
pair, and `logits(tables, left, right)`, a column for each pair.
"""

import dataclasses

from repjax.config import CellConfig
from repjax.models.mlp import Bilinear, Mlp
from repjax.models.transformer import Transformer

Model = Mlp | Transformer

ARCHITECTURES: dict[str, type[Model]] = {
    "mlp": Mlp,
    "bilinear": Bilinear,
    "transformer": Transformer,
}


def build_model(cell: CellConfig, order: int) -> Model:
    """The network of a cell over a group of `order` elements."""
    sizes = cell.transformer if cell.architecture == "transformer" else cell.mlp
    return ARCHITECTURES[cell.architecture](order=order, **dataclasses.asdict(sizes))


__all__ = ["ARCHITECTURES", "Bilinear", "Mlp", "Model", "Transformer", "build_model"]
