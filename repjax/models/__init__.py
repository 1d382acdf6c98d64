"""The networks, each written for one run.

Every network answers to the same five methods, which is all that training and analysis
know of it: `__call__(left, right)` gives logits, `hidden(left, right)` the activations
after the nonlinearity, `factors()` the tables A and B, `neuron_inputs()` what each
neuron receives from a and from b, `unembedding()` the map U from hidden layer to
logits.
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
