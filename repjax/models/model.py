"""The interface that training and analysis expect of every network."""

from abc import ABC, abstractmethod

import flax.linen as nn

from repjax.models.lookup import Tables
from repjax.typing import Array, Float, Int


class Model(nn.Module, ABC):
    """A network that multiplies two elements of a group, written for one run.

    Its weights are those that `architectures.Sizes.weights` names. Methods without
    tables are called through `apply`; those with tables are pure functions of them.

    Attributes:
        order: n, the number of group elements.
    """

    order: int

    def __call__(
        self, left: Int[Array, " pair"], right: Int[Array, " pair"]
    ) -> Float[Array, "pair vocab"]:
        """Logits of each pair."""
        return self.logits(self.tables(), left, right).T

    @abstractmethod
    def factors(
        self,
    ) -> tuple[Float[Array, "group embed"], Float[Array, "group embed"]]:
        """A and B: the tables in which W_a and W_b (or W_E) are explained by irreps."""

    @abstractmethod
    def neuron_inputs(
        self,
    ) -> tuple[Float[Array, "group hidden"], Float[Array, "group hidden"]]:
        """What each neuron receives from a and from b."""

    @abstractmethod
    def unembedding(self) -> Float[Array, "hidden vocab"]:
        """U: hidden layer → logits."""

    @abstractmethod
    def tables(self) -> Tables:
        """All that pairs need, computed once for all of them."""

    @nn.nowrap
    @abstractmethod
    def hidden(
        self, tables: Tables, left: Int[Array, " pair"], right: Int[Array, " pair"]
    ) -> Float[Array, "pair hidden"]:
        """Activations h[a, b] after the nonlinearity, a row for each pair."""

    @nn.nowrap
    @abstractmethod
    def logits(
        self, tables: Tables, left: Int[Array, " pair"], right: Int[Array, " pair"]
    ) -> Float[Array, "vocab pair"]:
        """Logits, a column for each pair."""
