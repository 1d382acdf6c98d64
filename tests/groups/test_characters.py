"""Tests of complex character tables."""

import numpy as np
import pytest

from repjax.groups import build_group, real_irreps
from repjax.groups.characters import character_table

NAMES = ["C1", "C7", "C12", "D5", "D6", "S5", "A5", "Q16", "C7:C3", "SL(2,3)", "C2^4"]
NAMES += ["PSL(2,7)", "Heisenberg(3)", "AGL(1,9)", "S6", "C100", "D59", "SL(2,5)"]


@pytest.mark.parametrize("name", NAMES)
def test_orthogonality(name):
    """Rows and columns."""
    group = build_group(name)
    table = character_table(group)
    weighted = table.values * group.class_sizes
    np.testing.assert_allclose(
        weighted @ table.values.conj().T / group.order,
        np.eye(len(table.values)),
        atol=1e-9,
    )
    np.testing.assert_allclose(
        table.values.conj().T @ table.values,
        np.diag(group.order / group.class_sizes),
        atol=1e-8,
    )
    assert (table.values[0] == 1).all()
    assert (table.values[:, 0] == table.degrees).all()


@pytest.mark.parametrize("name", NAMES)
def test_real_irreps_are_sums_of_complex_ones(name):
    """χ for real type, χ + χ̄ for complex and 2χ for quaternionic type."""
    group = build_group(name)
    table = character_table(group)
    expected = np.where(
        table.indicators[:, None] == 1, table.values.real, 2 * table.values.real
    )
    expected = np.unique(np.round(expected, 6) + 0.0, axis=0)
    real = np.stack([irrep.character for irrep in real_irreps(group)])
    real = np.unique(np.round(real[:, group.class_representatives], 6) + 0.0, axis=0)
    np.testing.assert_allclose(real, expected, atol=2e-6)


def test_values_of_the_binary_tetrahedral_group():
    """SL(2,3): degrees 1, 1, 1, 2, 2, 2, 3 with a quaternionic and four complex."""
    table = character_table(build_group("SL(2,3)"))
    assert table.degrees.tolist() == [1, 1, 1, 2, 2, 2, 3]
    assert sorted(table.indicators.tolist()) == [-1, 0, 0, 0, 0, 1, 1]
    assert set(np.round(np.abs(table.values) ** 2, 6).ravel()) == {0, 1, 4, 9}
