"""The authors' networks: shares of logits and neurons, beside float64 values."""

import jax
import numpy as np
import pytest

from repjax.analysis.basis import build_basis
from repjax.analysis.explained import explained_shares
from repjax.analysis.passes import sum_over_pairs
from repjax.explanations.cosets import build_cosets
from repjax.explanations.neurons import describe_neurons
from repjax.groups import build_group
from repjax.models import build_model
from repjax.reference.runs import read_run
from tests.compilation import quick_jit

COLUMNS = (
    "fve_class", "fve_ab", "fve_equivariant", "equivariance_spread",
    "pure_a", "pure_b", "pure_u", "coset_left", "coset_right", "live",
)  # fmt: skip
TABLE = """
A5_MLP_seed1 .5343 .5442 .9070 .0595 .5625 .5625 .3984 .7656 .7500 128 5
A5_MLP_seed2 .4489 .4552 .9721 .0337 .3438 .3438 .6328 .9844 .9922 128 5
C113_MLP_seed1 .9368 .9395 .9368 .0430 .8516 .7812 .0547 0 0 128 1
C113_MLP_seed2 .9808 .9822 .9808 .0298 .8906 .9922 .1875 0 0 128 1
D59_MLP_seed1 .4865 .4949 .9524 .0399 .9449 .9764 .2283 1 .9764 127 2
D59_MLP_seed2 .5492 .5514 .9882 .0277 1 1 .4098 1 1 122 2
S5_MLP_seed1 .3905 .5270 .6541 .0573 .9531 .9062 .0391 .9688 .9766 128 20
S5_MLP_seed2 .8481 .8493 .9926 .0188 1 1 .4206 1 1 126 24
"""
KNOWN = {
    name: tuple(map(float, values))
    for name, *values in map(str.split, TABLE.strip().splitlines())
}
"""Values to four digits, and the median order of the neurons' largest subgroups."""


@pytest.mark.parametrize("name", KNOWN)
def test_shares_of_the_authors_networks(name, published):
    """Logits to 1e-4, neurons as printed."""
    pytest.importorskip("torch")
    run = read_run(published / name)
    group = build_group(run.cell.group)
    model = build_model(run.cell, group.order)
    basis, cosets = build_basis(group), build_cosets(group)

    def describe(params):
        left, right = model.apply(params, method="neuron_inputs")
        above = model.apply(params, method="unembedding")
        sums = sum_over_pairs(model, params, basis)
        return explained_shares(sums, basis) | describe_neurons(
            left, right, above, basis, cosets
        )

    found = jax.device_get(quick_jit(describe)({"params": run.weights}))
    *expected, median = KNOWN[name]
    actual = [float(found[column]) for column in COLUMNS]
    np.testing.assert_allclose(actual, expected, atol=1e-4)
    orders = found["coset_order"]
    assert np.median(orders[orders > 0]) == median
