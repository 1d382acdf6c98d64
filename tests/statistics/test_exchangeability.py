"""The null holds for a sound pipeline, and planted bugs break it."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from repjax.statistics import exchangeability as module
from repjax.statistics import orbits as orbits_module
from repjax.statistics.exchangeability import exchangeability, num_repeated
from repjax.statistics.orbits import irrep_orbits, set_orbits

ORDER = 31
FREQUENCIES = np.arange(1, 16)
# k → 3k modulo 31, which generates all automorphisms of C31; −k is the irrep of k.
TRIPLED = 3 * FREQUENCIES % ORDER
AUTOMORPHISMS = (np.minimum(TRIPLED, ORDER - TRIPLED) - 1)[None]


def networks(num_runs=1000, seed=0, seeds_per_run=1, favoured=0.0, half=0.0):
    """Key irreps of "networks" on C31 that learn the three frequencies they see best.

    A network sees the power of its initial weights and that of its training pairs.

    Args:
        num_runs: number of networks.
        seed: of all randomness.
        seeds_per_run: runs that share a seed.
        favoured: added to the initial weights of frequency 3, as a share of them.
        half: probability that a training pair is drawn from the first half of the rows.
    """
    generator = np.random.default_rng(seed)
    num_seeds = num_runs // seeds_per_run
    angles = 2 * np.pi * np.outer(np.arange(ORDER), FREQUENCIES) / ORDER
    waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    weights = generator.normal(size=(num_seeds, ORDER, 3))
    spectrum = np.einsum("rgw,gk->rkw", weights, waves)
    power = (spectrum**2).sum(axis=2).reshape(num_seeds, 2, 15).sum(axis=1)
    power[:, 2] *= 1 + favoured
    pairs = generator.integers(ORDER, size=(num_seeds, 150))
    pairs = np.where(generator.random(pairs.shape) < half, pairs // 2, pairs)
    rows = (pairs[:, :, None] == np.arange(ORDER)).sum(axis=1)
    seen = ((rows @ waves) ** 2).reshape(num_seeds, 2, 15).sum(axis=1)
    score = power + 0.5 * seen
    is_key = score >= np.sort(score, axis=1)[:, -3:-2]
    return np.repeat(is_key, seeds_per_run, axis=0)


def p_values(**planted):
    found = exchangeability(networks(**planted), AUTOMORPHISMS)
    assert not found.irreps.exact and not found.sets.exact
    return found.irreps.p_value, found.sets.p_value


def test_a_sound_pipeline_passes():
    assert min(p_values()) > 0.05


def test_a_favoured_irrep_is_found():
    found = exchangeability(networks(favoured=0.4), AUTOMORPHISMS)
    assert found.irreps.p_value == 1 / 2000
    assert found.sets.p_value < 0.01
    assert 0.1 < found.irreps.effect < 0.5


def test_splits_biased_towards_one_half_are_found():
    assert max(p_values(half=0.3)) < 0.01


def test_seeds_used_twice_are_found():
    assert p_values(seeds_per_run=2)[1] < 0.01


def test_a_single_seed_used_twice_is_found_by_its_numbers():
    similarity = np.random.default_rng(0).random((1000, 6))
    assert num_repeated(similarity) == 0
    similarity[[700, 900]] = similarity[3]
    similarity[[100, 200, 300]] = np.nan
    assert num_repeated(similarity) == 2


def test_the_level_is_kept():
    """With 500 samples of 60 runs, whose irreps are key in neighbouring pairs."""
    generator, moves = np.random.default_rng(0), np.roll(np.arange(6), 1)[None]
    first = generator.random((500, 60, 6)) < 0.2
    is_key = first | np.roll(first, 1, axis=2)
    found = [exchangeability(sample, moves, num_draws=199) for sample in is_key]
    for level in (0.05, 0.2):
        for test in ("irreps", "sets"):
            rejected = sum(getattr(of, test).p_value <= level for of in found)
            assert stats.binomtest(rejected, 500, level).pvalue > 0.001


def test_two_irreps_and_ten_runs_by_hand():
    """Nine runs learn one and one the other: a sign test."""
    is_key = np.array([[True, False, True]] * 9 + [[False, True, True]])
    found = exchangeability(is_key, np.array([[1, 0, 2]]))
    assert found.irreps.exact and found.sets.exact
    assert found.irreps.p_value == pytest.approx(22 / 1024)
    assert found.sets.p_value == pytest.approx(22 / 1024)
    assert found.irreps.statistic == pytest.approx(
        stats.power_divergence([9, 1], lambda_="log-likelihood").statistic
    )
    np.testing.assert_array_equal(found.orbits, [0, 0, 1])


def test_runs_whose_set_no_automorphism_moves_do_not_enter():
    is_key = np.array([[True, True]] * 5 + [[True, False]] * 3)
    found = exchangeability(is_key, np.array([[1, 0]]))
    assert found.irreps.num_runs == found.sets.num_runs == 3
    assert found.sets.p_value == pytest.approx(2 / 8)
    assert exchangeability(is_key[:5], np.array([[1, 0]])) is None
    assert exchangeability(is_key, np.zeros((0, 2), int)) is None
    assert exchangeability(is_key[:0], np.array([[1, 0]])) is None


def test_drawn_and_enumerated_outcomes_agree(monkeypatch):
    is_key = np.eye(3, dtype=bool)[[0, 0, 0, 1, 1, 1, 0]]
    is_key[5:] ^= True
    moves = np.array([[1, 2, 0]])
    exact = exchangeability(is_key, moves)
    monkeypatch.setattr(module, "MAX_OUTCOMES", 0)
    drawn = exchangeability(is_key, moves, num_draws=20_000)
    assert exact.sets.exact and not drawn.sets.exact
    for test in ("irreps", "sets"):
        one, other = getattr(exact, test), getattr(drawn, test)
        assert one.statistic == pytest.approx(other.statistic)
        assert one.p_value == pytest.approx(other.p_value, abs=0.015)
        assert one.effect == pytest.approx(other.effect, abs=0.02)


def binary_matrices() -> np.ndarray:
    """Two generators of GL(4, 2) on the 15 irreps of C2⁴ that are not trivial."""
    vectors = np.array(list(product([0, 1], repeat=4)))[1:]
    shear, cycle = np.eye(4, dtype=int), np.roll(np.eye(4, dtype=int), 1, axis=0)
    shear[0, 1] = 1
    images = [vectors @ matrix % 2 @ [8, 4, 2, 1] - 1 for matrix in (shear, cycle)]
    return np.array(images)


def key_sets(*members: tuple[int, ...]) -> np.ndarray:
    return np.array([np.isin(np.arange(15), of) for of in members])


def test_orbits_of_sets_are_those_of_projective_geometry():
    """Of sets of three points of PG(3, 2), 35 are lines and 420 are not."""
    moves = binary_matrices()
    np.testing.assert_array_equal(irrep_orbits(moves), 0)
    is_key = key_sets((0,), (0, 1), (0, 1, 2), (3, 7, 11), (0, 1, 3))
    found, num_left_out = set_orbits(is_key, moves)
    assert num_left_out == 0
    sizes = {len(orbit.images): orbit.counts.sum() for orbit in found}
    assert sizes == {15: 1, 105: 1, 35: 2, 420: 1}
    for orbit in found:
        assert len(np.unique(orbit.images, axis=0)) == len(orbit.images)


def test_orbits_that_are_too_large_are_left_out(monkeypatch):
    """And with them the lines, since other sets of three are too many."""
    monkeypatch.setattr(orbits_module, "MAX_IMAGES", 400)
    is_key = key_sets((0, 1, 2), (0, 1, 3), (0, 1), (4, 5))
    found = exchangeability(is_key, binary_matrices())
    assert found.num_left_out == 2
    assert found.sets.num_runs == 2


def test_generators_and_the_whole_group_give_the_same():
    powers = np.stack([np.roll(np.arange(15), k) for k in range(15)])
    is_key = networks(200)
    one, other = (exchangeability(is_key, moves) for moves in (powers[1:2], powers))
    assert (one.irreps, one.sets) == (other.irreps, other.sets)
