"""The networks, each written for one run: subclasses of `Model`.

They turn pairs of elements into logits by way of tables over elements. Nothing here
knows about training, files or many runs.
"""

import dataclasses

from repjax.models.mlp import Bilinear, Mlp
from repjax.models.model import Model
from repjax.models.transformer import Transformer
from repjax.settings.config import CellConfig
from repjax.settings.rules import Kind

ARCHITECTURES: dict[str, type[Model]] = {
    "mlp": Mlp,
    "transformer": Transformer,
    "bilinear": Bilinear,
}
"""The network of each of `repjax.settings.architectures.ARCHITECTURES`."""


def build_model(cell: CellConfig, order: int) -> Model:
    """Build the network of a cell for a group of `order` elements."""
    sizes = {
        field.name: getattr(cell.sizes, field.name)
        for field in dataclasses.fields(cell.sizes)
        if field.metadata["kind"] is Kind.SHAPE
    }
    network = ARCHITECTURES[cell.architecture]
    return network(order=order, **sizes, **cell.sizes.initial())


__all__ = ["ARCHITECTURES", "Bilinear", "Mlp", "Model", "Transformer", "build_model"]
