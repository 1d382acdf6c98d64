"""Tests of the real Fourier matrix."""

import numpy as np
import pytest

from repjax.groups import Group, build_fourier, build_group, real_irreps

NAMES = ["C1", "C2", "C7", "C113", "C118", "D4", "D59", "D60", "S4", "S5", "A5", "S6"]


@pytest.fixture(params=[*NAMES, "Q8", "SL(2,3)"])
def group(request, quaternion_table, sl23_table) -> Group:
    """Named groups, and tables with irreps of quaternionic type."""
    tables = {"Q8": quaternion_table, "SL(2,3)": sl23_table}
    if request.param in tables:
        return Group.from_table(request.param, tables[request.param])
    return build_group(request.param)


def test_matrix_is_orthogonal(group):
    """Columns and rows, with one column for each dimension of R^G."""
    matrix = build_fourier(group).matrix
    assert matrix.dtype == np.float64
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(group.order), atol=1e-12)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(group.order), atol=1e-12)


def test_columns_are_grouped_by_irrep(group):
    """As many for each irrep as its isotypic subspace has dimensions."""
    fourier, irreps = build_fourier(group), real_irreps(group)
    assert fourier.irrep_of_column.dtype == np.int32
    assert fourier.irrep_of_column.tolist() == [
        k for k, irrep in enumerate(irreps) for _ in range(irrep.num_functions)
    ]
    assert fourier.names == tuple(irrep.name for irrep in irreps)
    for character, irrep in zip(fourier.characters, irreps, strict=True):
        assert np.array_equal(character, irrep.character)


def test_columns_project_onto_isotypic_subspaces(group):
    """F_ρ F_ρᵀ is convolution with dim(V_ρ)/n·χ/d: no use is made of the matrices."""
    fourier = build_fourier(group)
    quotient = group.table[:, group.inverse]  # (a, b) -> ab⁻¹
    for k, irrep in enumerate(real_irreps(group)):
        columns = fourier.matrix[:, fourier.irrep_of_column == k]
        scale = irrep.num_functions / irrep.dim / group.order
        np.testing.assert_allclose(
            columns @ columns.T, scale * irrep.character[quotient], atol=1e-12
        )


def test_real_type_columns_are_matrix_entries():
    """sqrt(d/n)·ρ_ij(g), rows of the matrix first."""
    group = build_group("S5")
    fourier = build_fourier(group)
    for k, irrep in enumerate(real_irreps(group)):
        columns = fourier.matrix[:, fourier.irrep_of_column == k]
        entries = columns.reshape(120, irrep.dim, irrep.dim) * np.sqrt(120 / irrep.dim)
        np.testing.assert_allclose(entries, irrep.matrices, atol=1e-14)


def test_fourier_matrix_of_c4():
    """Columns of cosine and sine span the two functions of freq_1."""
    fourier = build_fourier(build_group("C4"))
    assert fourier.irrep_of_column.tolist() == [0, 1, 1, 2]
    np.testing.assert_allclose(abs(fourier.matrix[:, [0, 3]]), 0.5)
    waves = np.array([[1, 0, -1, 0], [0, 1, 0, -1]]).T / np.sqrt(2)
    projected = fourier.matrix[:, 1:3] @ (fourier.matrix[:, 1:3].T @ waves)
    np.testing.assert_allclose(projected, waves, atol=1e-14)


def test_shared_arrays_cannot_be_written():
    """Fourier matrices are cached, one per group."""
    fourier = build_fourier(build_group("C5"))
    assert fourier is build_fourier(build_group("C5"))
    for array in (fourier.matrix, fourier.irrep_of_column, fourier.characters):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
