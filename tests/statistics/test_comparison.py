import numpy as np
import pytest
from scipy import stats

from repjax.statistics.comparison import compare_shares, same_law, total_variation
from repjax.statistics.significance import holm


def draw(shares, num_runs, seed):
    return np.random.default_rng(seed).random((num_runs, len(shares))) < shares


def test_statistic_and_p_value_are_those_of_the_textbook():
    """Few rows and many runs, where G has nearly a χ² distribution."""
    first, second = draw([0.5, 0.3], 400, 1), draw([0.56, 0.3], 300, 2)
    table = [[(rows @ [1, 2] == k).sum() for k in range(4)] for rows in (first, second)]
    expected = stats.chi2_contingency(table, lambda_="log-likelihood")
    found = same_law(first, second)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.03)
    assert found.num_runs == 700


def test_the_level_is_kept_with_many_rare_sets():
    shares = np.full(9, 0.4)
    p_values = [
        same_law(draw(shares, 60, k), draw(shares, 90, k + 10_000), 199).p_value
        for k in range(600)
    ]
    for level in (0.05, 0.2):
        rejected = np.sum(np.array(p_values) <= level)
        assert stats.binomtest(rejected, 600, level).pvalue > 0.001


def test_a_planted_difference_is_found_with_its_size():
    """A tenth of the runs of the second sweep have a set of their own."""
    first, second = draw([0.5] * 4, 2000, 0), draw([0.5] * 4, 2000, 1)
    assert same_law(first, second).p_value > 0.05
    assert same_law(first, second).effect < 0.02
    second[:200] = True
    found = same_law(first, second)
    assert found.p_value == 1 / 2000
    assert found.effect == pytest.approx(0.1 * 15 / 16, abs=0.02)
    assert total_variation(first, second) > found.effect


def test_permutations_are_those_of_the_runs():
    """Among them many rows that are seen once, against labels shuffled one by one."""
    generator = np.random.default_rng(0)
    rows = np.floor(generator.exponential(12, size=(50, 1))).astype(int)
    rows[:20] = rows[:20] * 2 // 3
    found = same_law(rows[:20], rows[20:])
    statistics, distances = [], []
    for _ in range(1000):
        table = np.zeros((2, rows.max() + 1), int)
        np.add.at(table, ((np.arange(50) >= 20).astype(int), rows[:, 0]), 1)
        table = table[:, table.any(axis=0)]
        statistics.append(stats.chi2_contingency(table, False, "log-likelihood")[0])
        distances.append(np.abs(table[0] / 20 - table[1] / 30).sum() / 2)
        generator.shuffle(rows)
    assert (table.sum(axis=0) == 1).sum() > 8
    assert found.statistic == pytest.approx(statistics[0])
    at_least = np.array(statistics) >= statistics[0] - 1e-9
    assert found.p_value == pytest.approx(at_least.mean(), abs=0.06)
    assert found.effect == pytest.approx(distances[0] - np.mean(distances), abs=0.01)


def test_rows_seen_once_count_in_the_distance_but_not_in_the_test():
    first, second = np.eye(7, dtype=bool)[:3], np.eye(7, dtype=bool)[3:]
    assert total_variation(first, second) == pytest.approx(1)
    found = same_law(first, second)
    assert (found.p_value, found.effect) == (1, pytest.approx(0))
    assert total_variation(first, first) == 0


def test_any_numbers_can_describe_a_run():
    first, second = np.repeat([[1, 2]], 50, axis=0), np.repeat([[2, 1]], 50, axis=0)
    assert same_law(first, second).p_value == 1 / 2000
    assert total_variation(first, second) == 1


def test_intervals_of_differences_cover_at_their_rate():
    """2,000 irreps, each a repetition."""
    first, second = draw([0.2] * 2000, 150, 0), draw([0.35] * 2000, 250, 1)
    found = compare_shares(first, second)
    covered = (found.low <= 0.15) & (found.high >= 0.15)
    assert covered.mean() == pytest.approx(0.95, abs=0.02)
    assert (np.abs(found.difference) <= 1).all()


def test_the_irrep_that_differs_is_found_and_no_other():
    first, second = draw([0.3] * 20, 500, 2), draw([0.3] * 19 + [0.5], 500, 3)
    found = compare_shares(first, second)
    np.testing.assert_array_equal(np.flatnonzero(found.adjusted < 0.05), [19])
    assert found.low[19] < 0.2 < found.high[19]
    table = [[first[:, 3].sum(), (~first[:, 3]).sum()]]
    table += [[second[:, 3].sum(), (~second[:, 3]).sum()]]
    assert found.p_values[3] == pytest.approx(stats.fisher_exact(table).pvalue)


def test_holm_on_an_example_by_hand():
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert holm([]).size == 0


def test_holm_makes_a_false_rejection_rare():
    p_values = np.random.default_rng(0).random((2000, 10))
    rejected = np.mean([holm(row).min() <= 0.05 for row in p_values])
    assert rejected == pytest.approx(1 - 0.995**10, abs=0.015)
