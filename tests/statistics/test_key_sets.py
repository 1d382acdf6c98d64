"""Laws of key sets with known answers."""

import numpy as np
import pytest

from repjax.statistics.key_sets import entropy, law, unseen_mass


def geometric(ratio: float, num_sets: int) -> np.ndarray:
    weights = ratio ** np.arange(num_sets)
    return weights / weights.sum()


def power(exponent: float, num_sets: int) -> np.ndarray:
    weights = np.arange(1.0, num_sets + 1) ** -exponent
    return weights / weights.sum()


LAWS = {
    "uniform": np.full(300, 1 / 300),
    "geometric": geometric(0.9, 100),
    "power": power(1, 200),
}


def test_rows_are_counted_and_sorted():
    is_key = np.array([[0, 1, 1], [1, 0, 1], [0, 1, 1], [0, 0, 0], [1, 0, 1]], bool)
    found = law(is_key)
    np.testing.assert_array_equal(found.rows, [[1, 0, 1], [0, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(found.counts, [2, 2, 1])
    np.testing.assert_array_equal(found.rows[found.index], is_key)
    assert (found.num_runs, found.num_sets) == (5, 3)
    assert found.shares.sum() == 1
    assert (found.low < found.shares).all() and (found.shares < found.high).all()


def test_many_irreps_and_rows_of_numbers():
    rows = np.random.default_rng(0).integers(0, 3, size=(200, 3))
    found = law(rows)
    unique, counts = np.unique(rows, axis=0, return_counts=True)
    assert dict(
        zip(map(tuple, found.rows.tolist()), found.counts, strict=True)
    ) == dict(zip(map(tuple, unique.tolist()), counts, strict=True))
    np.testing.assert_array_equal(found.rows[found.index], rows)
    wide = np.zeros((3, 70), bool)
    wide[1, 69] = True
    np.testing.assert_array_equal(law(wide).counts, [2, 1])


def test_no_runs():
    found = law(np.zeros((0, 4), bool))
    assert (found.num_runs, found.num_sets) == (0, 0)
    assert unseen_mass(found.counts) is entropy(found.counts) is None


@pytest.mark.parametrize("name", LAWS)
def test_unseen_mass_is_recovered_and_its_interval_covers(name):
    probabilities = LAWS[name]
    samples = np.random.default_rng(0).multinomial(1000, probabilities, size=2000)
    unseen = (samples == 0) @ probabilities
    found = [unseen_mass(counts) for counts in samples]
    values = np.array([[of.value, of.low, of.high] for of in found])
    assert values[:, 0].mean() == pytest.approx(unseen.mean(), rel=0.03)
    covered = (values[:, 1] <= unseen) & (unseen <= values[:, 2])
    assert covered.mean() == pytest.approx(0.95, abs=0.02)


def test_where_every_set_was_seen_often_the_rule_of_three_bounds_what_is_unseen():
    found = unseen_mass(np.array([400, 600]))
    assert (found.value, found.low) == (0, 0)
    assert 0.003 < found.high < 0.004


@pytest.mark.parametrize(
    "counts",
    [[20, 9, 3, 2, 2, 1, 1, 1], [20, 9, 1, 1, 1], [15, 15], [30, 5, 2, 2, 2, 2, 1]],
)
def test_entropy_is_the_formula_of_its_authors(counts):
    """Equation 4 of Chao, Wang and Jost 2013, summed term by term."""
    n, once, twice = sum(counts), counts.count(1), counts.count(2)
    expected = sum(x / n * sum(1 / k for k in range(x, n)) for x in counts)
    a = 1.0
    if twice:
        a = 2 * twice / ((n - 1) * once + 2 * twice)
    elif once:
        a = 2 / ((n - 1) * (once - 1) + 2)
    if once:
        rest = -np.log(a) - sum((1 - a) ** r / r for r in range(1, n))
        expected += once / n * (1 - a) ** (1 - n) * rest
    found = entropy(np.array([*counts, 0]))
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert found.low < found.value < found.high


def test_entropy_of_a_law_is_recovered_and_its_interval_covers():
    probabilities = LAWS["geometric"]
    truth = -probabilities @ np.log(probabilities)
    samples = np.random.default_rng(1).multinomial(1000, probabilities, size=2000)
    found = [entropy(counts) for counts in samples]
    values = np.array([[of.value, of.low, of.high] for of in found])
    assert values[:, 0].mean() == pytest.approx(truth, abs=0.005)
    covered = (values[:, 1] <= truth) & (truth <= values[:, 2])
    assert covered.mean() == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("name", LAWS)
def test_entropy_has_less_bias_than_counting(name):
    probabilities = LAWS[name]
    truth = -probabilities @ np.log(probabilities)
    samples = np.random.default_rng(2).multinomial(200, probabilities, size=100)
    shares = samples / 200
    plain = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1).mean()
    found = np.mean([entropy(counts).value for counts in samples])
    assert abs(found - truth) < 0.15 * (truth - plain)


def test_one_set_has_no_entropy_and_runs_that_all_differ_no_interval():
    same = entropy(np.array([50]))
    assert (same.value, same.low, same.high) == (0, 0, 0)
    differ = entropy(np.ones(50, int))
    assert differ.value > np.log(50)
    assert differ.low is differ.high is None
