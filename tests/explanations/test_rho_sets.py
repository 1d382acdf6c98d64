"""ρ-sets planted in networks are found; other functions are not taken for them."""

from functools import cache

import numpy as np
import pytest

from repjax.explanations.orbits import least_sizes
from repjax.explanations.rho_sets import fit_rho_sets, logits_of_sets, weights_of_sets
from repjax.groups import build_group, real_irreps
from repjax.groups.subgroups import subgroups
from tests.explanations import planted_rho_sets as planted


@cache
def build(case):
    """Group, irrep's index, ρ-set, direction and weights of a planted network."""
    name, irrep_name, stabiliser, size = case
    group = build_group(name)
    k, irrep = planted.irrep_of(group, irrep_name)
    vectors = planted.rho_set(group, irrep, stabiliser)
    assert len(vectors) == size
    direction = np.random.default_rng(size).normal(size=irrep.dim)
    direction /= np.linalg.norm(direction)
    return group, k, vectors, direction, planted.network(irrep, vectors, direction, 0.7)


def same_set(found: np.ndarray, planted_set: np.ndarray) -> bool:
    """Whether two sets of unit vectors are the same up to one sign for all."""
    cosines = found @ planted_set.T
    return len(found) == len(planted_set) and any(
        np.allclose((sign * cosines).max(axis=1), 1, atol=1e-7) for sign in (1, -1)
    )


@pytest.mark.parametrize("case", planted.CASES)
def test_planted_set_is_found_and_rebuilt(case):
    group, k, vectors, direction, weights = build(case)
    fit = fit_rho_sets(group, *planted.disguise(weights))
    assert fit.reason is None and fit.explained == 1
    (found,) = fit.sets
    assert found.irrep == k
    assert same_set(found.vectors, vectors)
    assert abs(found.direction @ direction) == pytest.approx(1, abs=1e-9)
    assert found.kappa == pytest.approx(0.7, abs=1e-9)
    assert found.coverage == 1

    expected = planted.logits(weights)
    rebuilt = planted.logits(weights_of_sets(group, fit.sets))
    np.testing.assert_allclose(rebuilt, expected, atol=1e-5)
    function = planted.spread(group, logits_of_sets(group, fit.sets))
    np.testing.assert_allclose(function, expected, atol=1e-5)
    # The label wins, by the same margin for all pairs.
    assert (expected.argmax(axis=2) == group.table).all()


def test_several_sets_are_told_apart():
    """A5's icosahedron with two directions, and its simplex in dimension 4."""
    group, three, icosahedron, first, weights = build(planted.CASES[2])
    _, four, _, _, others = build(planted.CASES[3])
    second = np.cross(first, [1.0, 0, 0])
    second /= np.linalg.norm(second)
    _, irrep = planted.irrep_of(group, "3d_a")
    third = planted.network(irrep, icosahedron, second, 0.2)
    parts = (weights, others, third)
    joined = (
        np.hstack([left for left, _, _ in parts]),
        np.hstack([right for _, right, _ in parts]),
        np.vstack([above for _, _, above in parts]),
    )
    fit = fit_rho_sets(group, *planted.disguise(joined))
    assert [found.irrep for found in fit.sets] == [three, three, four]
    assert [len(found.vectors) for found in fit.sets] == [12, 12, 5]
    np.testing.assert_allclose([found.kappa for found in fit.sets], [0.7, 0.2, 0.7])
    np.testing.assert_allclose(
        planted.logits(weights_of_sets(group, fit.sets)),
        planted.logits(joined),
        atol=1e-5,
    )


def test_vectors_in_a_plane_of_fixed_ones():
    """S4's standard irrep: a transposition fixes a plane, so the neurons decide."""
    group = build_group("S4")
    _, irrep = planted.irrep_of(group, "standard")
    swap = np.flatnonzero(np.isclose(irrep.character, 1))[0]
    fixed = (np.eye(3) + irrep.matrices[swap]) / 2
    vector = fixed @ np.array([0.9, -0.5, 0.3])
    images = irrep.matrices @ (vector / np.linalg.norm(vector))
    vectors = np.unique(images.round(9), axis=0)
    assert len(vectors) == 12
    weights = planted.network(irrep, vectors, np.array([0.0, 0.6, 0.8]), 0.3)
    left, right, above = planted.disguise(weights)
    noise = 0.1 * np.random.default_rng(0).normal(size=(2, *left.shape))
    exact = fit_rho_sets(group, left, right, above)
    noisy = [x + x.std(axis=0) * n for x, n in zip((left, right), noise, strict=True)]
    near = fit_rho_sets(group, *noisy, above)
    # A single neuron's vectors are off by 5e-5; the mean of all is much closer.
    for fit, tolerance in ((exact, 1e-9), (near, 1e-6)):
        (found,) = fit.sets
        cosines = np.abs(found.vectors @ vectors.T).max(axis=1)
        np.testing.assert_allclose(cosines, 1, atol=tolerance)
        assert len(found.vectors) == 12 and fit.explained == 1


def test_missing_pairs_are_counted_and_filled_in():
    group, _, _, _, (left, right, above) = build(planted.CASES[1])
    left, right, above = (3 * left[:, :20], 3 * right[:, :20], above[:20])
    (found,) = fit_rho_sets(group, left, right, above).sets
    assert found.coverage == pytest.approx(0.8)
    # A pair has what the 20 neurons have, over 25: scaled inputs, the same outputs.
    assert found.kappa == pytest.approx(3 * 0.7 * 0.8)
    # That is the bi-equivariant part of the logits.
    actual = planted.logits((left, right, above))
    function = logits_of_sets(group, (found,))
    table = group.table[group.table].swapaxes(1, 2)  # a·t·b at [a, b, t]
    means = np.take_along_axis(actual, table, axis=2).mean(axis=(0, 1))
    np.testing.assert_allclose(function, means, atol=1e-9)


def test_shuffled_elements_destroy_sets():
    group, _, _, _, weights = build(planted.CASES[1])
    left, right, above = planted.disguise(weights)
    order = np.random.default_rng(1).permutation(group.order)
    fit = fit_rho_sets(group, left[order], right[order], above[:, order])
    assert fit.explained < 0.05


def test_why_there_is_no_fit():
    group = build_group("C7")
    waves = np.cos(2 * np.pi / 7 * np.arange(7))[:, None]
    fit = fit_rho_sets(group, waves, waves, waves.T)
    assert fit.sets == () and np.isnan(fit.explained)
    assert "freq_1 is of complex type" in fit.reason
    nothing = fit_rho_sets(group, 0.1 * waves, waves, waves.T)
    assert nothing.reason == "no neuron is live"


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        # Vertices of the icosahedron for both 3d; points of 5 and 6 letters.
        ("A5", {"trivial": 1, "3d_a": 12, "3d_b": 12, "standard": 5, "5d_a": 6}),
        ("C7", {"trivial": 1, "freq_1": 7, "freq_2": 7, "freq_3": 7}),
        ("S3", {"trivial": 1, "sign": 2, "standard": 3}),
        ("Q8", {"trivial": 1, "4d": 8}),
    ],
)
def test_least_sizes_are_those_of_known_orbits(name, sizes):
    group = build_group(name)
    irreps = real_irreps(group)
    characters = np.stack([irrep.character for irrep in irreps])
    found = least_sizes(characters, subgroups(group))
    by_name = dict(zip([irrep.name for irrep in irreps], found, strict=True))
    assert {key: by_name[key] for key in sizes} == sizes
