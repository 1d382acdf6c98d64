"""Architectures: sizes, costs and headings, without arrays.

No arrays, no jax: the networks themselves are in `repjax/models/`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from repjax.settings.rules import Kind, integer, real, setting

SIZE = integer(at_least=1, at_most=1_000_000)


@dataclass(frozen=True, kw_only=True)
class Sizes(ABC):
    """Settings of a network, with its sizes and costs for a group of n elements."""

    @property
    @abstractmethod
    def num_neurons(self) -> int:
        """Width of the hidden layer."""

    @abstractmethod
    def weights(self, order: int) -> dict[str, tuple[int, ...]]:
        """Shape of each weight, by its name."""

    @abstractmethod
    def products(self, order: int) -> int:
        """Multiplications for each pair, without those done once per element."""

    @abstractmethod
    def products_once(self, order: int) -> int:
        """Multiplications done once a step, for elements or weights, not for pairs."""

    def initial(self) -> dict[str, float]:
        """Attributes of the network that affect only its initial weights."""
        return {}

    @property
    @abstractmethod
    def looked_up(self) -> int:
        """Floats that each pair looks up in tables over elements."""

    @abstractmethod
    def floats_per_pair(self, order: int) -> int:
        """Activations and gradients that exist at once for one pair in a step."""


@dataclass(frozen=True, kw_only=True)
class MlpSizes(Sizes):
    """Sizes of the MLP and of the bilinear network."""

    embed_dim: int = setting(SIZE, Kind.SHAPE)
    hidden_dim: int = setting(SIZE, Kind.SHAPE)

    @property
    def num_neurons(self) -> int:
        """Width of the hidden layer."""
        return self.hidden_dim

    def weights(self, order: int) -> dict[str, tuple[int, ...]]:
        """Shape of each weight, by its name."""
        return {
            "W_x": (order, self.embed_dim),
            "W_y": (order, self.embed_dim),
            "W": (2 * self.embed_dim, self.hidden_dim),
            "W_U": (self.hidden_dim, order),
        }

    def products(self, order: int) -> int:
        """Multiplications of the unembedding."""
        return self.hidden_dim * order

    def products_once(self, order: int) -> int:
        """Multiplications for the inputs of the neurons from a and from b."""
        return order * 2 * self.embed_dim * self.hidden_dim

    @property
    def looked_up(self) -> int:
        """Inputs of the neurons from a and from b."""
        return 2 * self.hidden_dim

    def floats_per_pair(self, order: int) -> int:
        """Inputs from a and b, their sum, activations, logits and odds."""
        return 5 * self.hidden_dim + 4 * order


@dataclass(frozen=True, kw_only=True)
class TransformerSizes(Sizes):
    """Sizes of the transformer, and the spread of its initial weights."""

    num_heads: int = setting(SIZE, Kind.SHAPE)
    d_model: int = setting(SIZE, Kind.SHAPE)
    d_head: int = setting(SIZE, Kind.SHAPE)
    d_mlp: int = setting(SIZE, Kind.SHAPE)
    init_scale: float = setting(real(above=0.0), Kind.DATA)

    @property
    def num_neurons(self) -> int:
        """Width of the hidden layer."""
        return self.d_mlp

    def weights(self, order: int) -> dict[str, tuple[int, ...]]:
        """Shape of each weight, by its name."""
        to_head = (self.num_heads, self.d_model, self.d_head)
        return {
            "W_E": (order + 1, self.d_model),
            "W_pos": (3, self.d_model),
            **dict.fromkeys(("W_Q", "W_K", "W_V"), to_head),
            "W_O": (self.num_heads, self.d_head, self.d_model),
            "W_in": (self.d_model, self.d_mlp),
            "W_out": (self.d_mlp, self.d_model),
            "W_U": (self.d_model, order),
        }

    def products(self, order: int) -> int:
        """Multiplications into the neurons, and from values and neurons to logits.

        The latter take one product or two, as in `Transformer.tables`.
        """
        return self._values * self.d_mlp + min(self._readouts(order))

    def products_once(self, order: int) -> int:
        """Multiplications for scores and values of all tokens, and between weights.

        For small groups most of a step: W_O W_in takes 8 million at the paper's sizes.
        """
        tokens = 2 * order + 1
        one, two = self._readouts(order)
        into_readout = self.d_model * order * (self._values + self.d_mlp)
        return (
            self.d_model * self._values * self.d_mlp
            + tokens * self.d_model * (self._values + self.num_heads)
            + (into_readout if one <= two else 0)
        )

    @property
    def _values(self) -> int:
        """Width of all heads."""
        return self.num_heads * self.d_head

    def _readouts(self, order: int) -> tuple[int, int]:
        """Multiplications from values and neurons to logits, in one product or two."""
        rows = self._values + self.d_mlp
        return rows * order, self.d_model * (rows + order)

    def initial(self) -> dict[str, float]:
        """Standard deviation of every weight."""
        return {"init_std": self.init_scale * self.d_model**-0.5}

    @property
    def looked_up(self) -> int:
        """Scores and values of both factors."""
        return 2 * self.num_heads * (self.d_head + 1)

    def floats_per_pair(self, order: int) -> int:
        """Attention values (nine times), residual stream, neurons and logits."""
        values = self.num_heads * self.d_head
        return 9 * values + 4 * self.d_model + 3 * self.d_mlp + 4 * order


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes:
        title: heading in tables.
        section: section of the settings that holds its sizes.
        one_embedding: whether a and b share it; tables then have W_E for W_a and W_b.
        in_paper: whether the paper's Table 3 includes it.
        cores_may_share: whether its bits are the same when several cores share a run.
        overhead: seconds of a step on a core that do not depend on sizes, as measured.
    """

    title: str
    section: str = "mlp"
    one_embedding: bool = False
    in_paper: bool = False
    cores_may_share: bool = False
    overhead: float = 1e-5


ARCHITECTURES = {
    "mlp": Architecture("MLP", in_paper=True, cores_may_share=True),
    "transformer": Architecture(
        "Transformer",
        section="transformer",
        one_embedding=True,
        in_paper=True,
        overhead=5e-5,
    ),
    "bilinear": Architecture("Bilinear", cores_may_share=True),
}
"""Architectures by name, in table order."""


def concerns(section: str, architecture: str) -> bool:
    """Return whether a section of settings concerns networks of an architecture."""
    sections = {other.section for other in ARCHITECTURES.values()}
    return section not in sections or section == ARCHITECTURES[architecture].section
