"""Neurons of an MLP as rank-one functions of a real irrep: A[x] = α·bᵀρ(x)a, and so on.

Wu et al. (ICLR 2025, "Towards a unified and verified understanding of group-operation
networks"), section 4. On the host, in float64.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from repjax.groups import Irrep, real_irreps
from repjax.groups.group import Group
from repjax.groups.irreps import ENDOMORPHISM_DIM
from repjax.metrics import NEURON_POWER


@dataclass(frozen=True, eq=False)
class RankOneNeurons:
    """Closest rank-one form of neurons, in an irrep of real type.

    Neuron j has A[x] ≈ α·bᵀρ(x)a, B[y] ≈ −β·aᵀρ(y)b' and U[z] ≈ −γ·bᵀρ(z)b', with unit
    vectors a, b, b' and α, β >= 0. It then adds −γ·bᵀρ(z)b'·ReLU(α·bᵀρ(x)a −
    β·aᵀρ(y)b') to logit z. Changing the signs of a, b and b' together changes nothing.

    Attributes:
        index: number of each neuron in its network.
        a: direction a.
        b: vector b of the left factor.
        b_prime: vector b' of the right factor.
        alpha: α.
        gamma: γ; not below 0 where ρ(x), ρ(y) and ρ(z) add up as the theory says.
    """

    index: Int[np.ndarray, " neuron"]
    a: Float[np.ndarray, "neuron dim"]
    b: Float[np.ndarray, "neuron dim"]
    b_prime: Float[np.ndarray, "neuron dim"]
    alpha: Float[np.ndarray, " neuron"]
    gamma: Float[np.ndarray, " neuron"]

    @property
    def kappa(self) -> Float[np.ndarray, " neuron"]:
        """Coefficient α·γ of the neuron's product; a ReLU is homogeneous."""
        return self.alpha * self.gamma

    def select(self, chosen: np.ndarray) -> "RankOneNeurons":
        """Return the neurons that a mask or an index array chooses."""
        return RankOneNeurons(
            **{name: values[chosen] for name, values in vars(self).items()}
        )


def best_irreps(
    group: Group, left: Float[np.ndarray, "group hidden"], right: np.ndarray
) -> Int[np.ndarray, " hidden"]:
    """Return the non-trivial irrep with most of ‖A‖² + ‖B‖² of each neuron.

    −1 for neurons that are not live: ‖A‖² < 1.
    """
    powers = []
    for irrep in real_irreps(group):
        # The entries of ρ repeat each function 1, 2 or 4 times, by type.
        scale = group.order / irrep.dim / ENDOMORPHISM_DIM[irrep.type]
        parts = (coefficients(irrep, table) for table in (left, right))
        powers.append(scale * sum((part**2).sum(axis=(1, 2)) for part in parts))
    powers[0] = np.full(left.shape[1], -1.0)
    is_live = (left**2).sum(axis=0) >= NEURON_POWER
    return np.where(is_live & (len(powers) > 1), np.argmax(powers, axis=0), -1)


def coefficients(
    irrep: Irrep, functions: Float[np.ndarray, "group hidden"]
) -> Float[np.ndarray, "hidden dim dim"]:
    """Return M of each function f, where f(g) = ⟨M, ρ(g)⟩ is its part in ρ."""
    entries = irrep.matrices.reshape(len(functions), -1)
    scale = irrep.dim / len(functions)
    return scale * (functions.T @ entries).reshape(-1, irrep.dim, irrep.dim)


def rank_one_parts(
    irrep: Irrep,
    neurons: Int[np.ndarray, " neuron"],
    left: Float[np.ndarray, "group hidden"],
    right: Float[np.ndarray, "group hidden"],
    unembedding: Float[np.ndarray, "hidden group"],
) -> RankOneNeurons:
    """Return the rank-one form of some neurons in an irrep of real type.

    The matrix of A is α·b·aᵀ, that of B −β·a·b'ᵀ, that of U −γ·b·b'ᵀ: singular vectors
    of A and of B give a, b and b', and U is projected onto b·b'ᵀ.
    """
    of_left, of_right, of_logits = (
        coefficients(irrep, functions[:, neurons])
        for functions in (left, right, unembedding.T)
    )
    b, alpha, a = (part[..., 0] for part in _svd(of_left))
    a_right, _, b_prime = (part[..., 0] for part in _svd(of_right))
    sign = np.where((a * a_right).sum(axis=1) >= 0, -1.0, 1.0)
    b_prime = sign[:, None] * b_prime
    gamma = -np.einsum("hi,hij,hj->h", b, of_logits, b_prime)
    return RankOneNeurons(neurons, a, b, b_prime, alpha, gamma)


def _svd(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left vectors, singular values and right vectors, each the last axis."""
    left, values, right = np.linalg.svd(matrices)
    return left, values, np.swapaxes(right, 1, 2)
