"""The one-hidden-layer networks of the paper: ReLU ("mlp") and bilinear.

Chughtai et al. 2023, section 3 and appendix: logits = act(A[a], B[b]) · W_U with
A = W_x · W[:e] and B = W_y · W[e:], where act is ReLU(A[a] + B[b]) for the MLP and
A[a] ⊙ B[b] for the bilinear network. Multiplying the embedding by W once per element
instead of once per pair is the same function and costs 5 times less.
"""

import flax.linen as nn
import jax.numpy as jnp

from repjax.models.lookup import Elements, Tables, columns, lookup
from repjax.models.model import Model
from repjax.typing import Array, Float


class Mlp(Model):
    """One hidden ReLU layer on two concatenated embeddings, no biases.

    Attributes:
        order: order of the group.
        embed_dim: e, width of each factor's embedding.
        hidden_dim: number of neurons.
    """

    embed_dim: int = 256
    hidden_dim: int = 128

    def setup(self):
        """Draw tensors from N(0, 1/width): e for embeddings, else the input width."""

        def weight(name: str, rows: int, columns: int, width: int) -> Array:
            return self.param(
                name, nn.initializers.normal(width**-0.5), (rows, columns)
            )

        embed, hidden = self.embed_dim, self.hidden_dim
        self.W_x = weight("W_x", self.order, embed, embed)
        self.W_y = weight("W_y", self.order, embed, embed)
        self.W = weight("W", 2 * embed, hidden, 2 * embed)
        self.W_U = weight("W_U", hidden, self.order, hidden)

    def factors(
        self,
    ) -> tuple[Float[Array, "group hidden"], Float[Array, "group hidden"]]:
        """Return A and B, the hidden layer's inputs from the left and right factor."""
        return (
            self.W_x @ self.W[: self.embed_dim],
            self.W_y @ self.W[self.embed_dim :],
        )

    def neuron_inputs(
        self,
    ) -> tuple[Float[Array, "group hidden"], Float[Array, "group hidden"]]:
        """Return the input of each neuron from a and from b."""
        return self.factors()

    def unembedding(self) -> Float[Array, "hidden vocab"]:
        """Return U: hidden layer → logits."""
        return self.W_U

    def tables(self) -> Tables:
        """Return A, B and Uᵀ."""
        from_left, from_right = self.factors()
        return {"left": from_left, "right": from_right, "readout": self.W_U.T}

    @nn.nowrap
    def hidden(
        self, tables: Tables, left: Elements, right: Elements
    ) -> Float[Array, "pair hidden"]:
        """Return activations h[a, b] after the nonlinearity."""
        from_left, from_right = tables["left"], tables["right"]
        return self.combine(lookup(from_left, left), lookup(from_right, right))

    @nn.nowrap
    def logits(
        self, tables: Tables, left: Elements, right: Elements
    ) -> Float[Array, "vocab pair"]:
        """Return the logits, a column for each pair."""
        return columns(tables["readout"], self.hidden(tables, left, right))

    @nn.nowrap
    def combine(
        self, left: Float[Array, "pair hidden"], right: Float[Array, "pair hidden"]
    ) -> Float[Array, "pair hidden"]:
        """Apply the nonlinearity to the inputs from a and from b."""
        return nn.relu(left + right)


class Bilinear(Mlp):
    """The MLP with an elementwise product in place of sum and ReLU."""

    @nn.nowrap
    def combine(
        self, left: Float[Array, "pair hidden"], right: Float[Array, "pair hidden"]
    ) -> Float[Array, "pair hidden"]:
        """Return A[a] ⊙ B[b]."""
        return jnp.multiply(left, right)
