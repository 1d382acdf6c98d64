"""Spectral energy of each irrep in a network's tables, and in the loss's gradient.

At initialisation, these are the tickets of the lottery that He et al. describe (2026,
arXiv 2602.16849).
"""

import jax
import jax.numpy as jnp

from repjax.analysis.basis import Basis, power_by_irrep
from repjax.models import Model, Transformer
from repjax.training.blocks import Blocks, TrainPairs, sum_over_blocks
from repjax.training.losses import cross_entropy
from repjax.typing import Array, Float, Int, Params

_BLOCK_ELEMENTS = 2**22
"""Floats in the largest array of a block of pairs: 16 MB."""

Tables = tuple[
    Float[Array, "group _"], Float[Array, "group _"], Float[Array, "group _"]
]


def spectral_energies(
    model: Model, params: Params, train_pairs: Int[Array, " train"], basis: Basis
) -> dict[str, Float[Array, " irrep"]]:
    """Return ‖Π_ρ W‖² of each real irrep ρ for each table W of a network.

    Args:
        model: the network.
        params: its weights.
        train_pairs: indices a·n + b of the training pairs, without padding.
        basis: of its group and task.

    Returns:
        `energy_w_a`, `energy_w_b` and `energy_w_u` of W_a, W_b and Uᵀ, the tables whose
        shares are `irrep_fve_w_a` and so on, and `gradient_w_a` and so on of the
        training loss's gradient in these tables. Not below 0; the sum over irreps is
        the squared norm of the table.
    """
    left, right = model.apply(params, method="factors")
    above = model.apply(params, method="unembedding").T
    gradients = table_gradients(model, params, train_pairs, basis)
    tables = {"energy": (left, right, above), "gradient": gradients}
    return {
        f"{kind}_{name}": jnp.sum(power_by_irrep(table, basis), axis=1)
        for kind, of_kind in tables.items()
        for name, table in zip(("w_a", "w_b", "w_u"), of_kind, strict=True)
    }


def table_gradients(
    model: Model, params: Params, train_pairs: Int[Array, " train"], basis: Basis
) -> Tables:
    """Return the gradient of the mean training loss in W_a, W_b and Uᵀ.

    Each table counts as a weight by itself, even where it is a product of weights. A
    transformer's W_a and W_b are one weight, and its gradient stands for both.
    """
    num_pairs, order = len(train_pairs), model.order
    pairs = TrainPairs(
        pair=train_pairs,
        labels=basis.labels.ravel()[train_pairs],
        weights=jnp.full(num_pairs, 1.0 / num_pairs),
    )
    tables, pull_back = jax.vjp(
        lambda params: model.apply(params, method="tables"), params
    )
    unembedding = model.apply(params, method="unembedding")

    def share_of_loss(tables, added, some):
        left, right = jnp.divmod(some.pair, order)
        logits = model.logits(tables, left, right)
        # As if U were U + added.
        logits += added @ model.hidden(tables, left, right).T
        return jnp.sum(some.weights * cross_entropy(logits, some.labels, 0))

    def gradient_of(some):
        added = jnp.zeros(unembedding.T.shape)
        return jax.grad(share_of_loss, (0, 1))(tables, added, some)

    size = max(1, _BLOCK_ELEMENTS // max(unembedding.shape))
    by_table, by_unembedding = sum_over_blocks(
        gradient_of, pairs, jnp.int32(num_pairs), Blocks(size=size)
    )
    if isinstance(model, Transformer):
        (by_weight,) = pull_back(by_table)
        shared = by_weight["params"]["W_E"][:order]
        return shared, shared, by_unembedding
    return by_table["left"], by_table["right"], by_unembedding
