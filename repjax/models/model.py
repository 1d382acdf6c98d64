"""The interface that training and analysis expect of every network."""

from abc import ABC, abstractmethod

import flax.linen as nn

from repjax.models.lookup import Elements, Tables
from repjax.typing import Array, Float, Int


class Model(nn.Module, ABC):
    """A network that multiplies two elements of a group, written for one run.

    `architectures.Sizes.weights` lists its weights. Methods without a `tables` argument
    are called through `apply`; the others are pure functions of their arguments.

    Attributes:
        order: n, the number of group elements.
    """

    order: int

    def __call__(
        self, left: Int[Array, " pair"], right: Int[Array, " pair"]
    ) -> Float[Array, "pair vocab"]:
        """Return the logits, a row for each pair."""
        return self.logits(self.tables(), left, right).T

    @abstractmethod
    def factors(
        self,
    ) -> tuple[Float[Array, "group embed"], Float[Array, "group embed"]]:
        """Return A and B, the tables analysed by irrep as W_a and W_b (or W_E)."""

    @abstractmethod
    def neuron_inputs(
        self,
    ) -> tuple[Float[Array, "group hidden"], Float[Array, "group hidden"]]:
        """Return the input of each neuron from a and from b."""

    @abstractmethod
    def unembedding(self) -> Float[Array, "hidden vocab"]:
        """Return U: hidden layer → logits."""

    @abstractmethod
    def tables(self) -> Tables:
        """Return the tables that all pairs use, computed once."""

    @nn.nowrap
    @abstractmethod
    def hidden(
        self, tables: Tables, left: Elements, right: Elements
    ) -> Float[Array, "pair hidden"]:
        """Return activations h[a, b] after the nonlinearity, a row for each pair."""

    @nn.nowrap
    @abstractmethod
    def logits(
        self, tables: Tables, left: Elements, right: Elements
    ) -> Float[Array, "vocab pair"]:
        """Return the logits, a column for each pair."""
