"""Counting, held against what the paper says of its 50 S5 runs."""

from dataclasses import replace

import numpy as np
import pytest

from repjax.statistics.universality import universality
from tests.made_up import IRREPS, make_cell, make_results, with_similarity

# Chughtai et al. 2023, section 6: S5 MLPs of the seeds 1 to 50.
PAPER_LEARNED = {
    "sign": 49,
    "standard": 49,
    "5d_a": 18,
    "standard_sign": 17,
    "5d_b": 10,
    "6d": 0,
}
PAPER_NUM_KEY = {2: 20, 3: 19, 4: 9, 5: 2}
S5_IRREPS = ("trivial", "sign", "standard", "standard_sign", "5d_a", "5d_b", "6d")


def fifty_runs() -> list[tuple[str, ...]]:
    """Key sets with these margins: each run takes the irreps that most still lack."""
    left = dict(PAPER_LEARNED)
    runs = []
    for size in sorted(np.repeat(*zip(*PAPER_NUM_KEY.items(), strict=True)))[::-1]:
        chosen = sorted(left, key=lambda irrep: -left[irrep])[:size]
        for irrep in chosen:
            left[irrep] -= 1
        runs.append(tuple(chosen))
    assert not any(left.values())
    return runs


def learned(key_sets, steps=(0, 1, 10, 100), irreps=S5_IRREPS):
    """Runs that learn their irreps one evaluation after the other, from the second."""
    cell = make_cell("S5", seeds=tuple(range(1, len(key_sets) + 1)))
    made = make_results(cell)
    similarity = np.zeros((len(key_sets), len(steps), len(irreps)))
    for run, key in enumerate(key_sets):
        for place, irrep in enumerate(key):
            first = min(1 + place, len(steps) - 1)
            similarity[run, first:, irreps.index(irrep)] = 0.9 - 0.1 * place
    scalars = {
        name: np.repeat(values[:, -1:], len(steps), axis=1)
        for name, values in made.metrics.items()
        if values.ndim == 2
    }
    return replace(
        made,
        irreps=irreps,
        irrep_dims=(1, 1, 4, 4, 5, 5, 6)[: len(irreps)],
        steps=np.array(steps),
        metrics=scalars | {"logit_similarity": similarity},
    )


def test_counting_gives_the_papers_facts():
    found = universality(learned(fifty_runs(), steps=range(8)))
    counts = {irrep.name: irrep.learned.count for irrep in found.irreps}
    assert counts == PAPER_LEARNED
    assert {n: share.count for n, share in found.num_key.items()} == PAPER_NUM_KEY
    assert {irrep.learned.total for irrep in found.irreps} == {50}
    assert found.generalised.count == found.num_runs == 50
    sign = found.irreps[0].learned
    assert (sign.low, sign.high) == pytest.approx((0.8935, 0.9995), abs=1e-4)
    assert found.mean_num_key.value == pytest.approx(143 / 50)
    assert found.mean_num_key.low < 143 / 50 < found.mean_num_key.high
    assert sum(share.count for share in found.key_sets.values()) == 50
    assert max(len(key_set) for key_set in found.key_sets) == 5


def test_places_and_steps_are_those_of_learning():
    runs = [("standard", "sign"), ("sign", "standard"), ("standard", "sign", "6d")]
    found = universality(learned(runs))
    by_name = {irrep.name: irrep for irrep in found.irreps}

    def places(name):
        return [share.count for share in by_name[name].places]

    assert places("sign") == [1, 2, 0]
    assert places("standard") == [2, 1, 0]
    assert places("6d") == [0, 0, 1]
    assert {share.total for share in by_name["sign"].places} == {3}
    assert by_name["standard"].step.value == 1
    assert by_name["sign"].step.value == 10
    assert by_name["6d"].step.num == 1
    assert by_name["5d_a"].step is None
    assert list(found.orders) == [
        ("sign", "standard"),
        ("standard", "sign"),
        ("standard", "sign", "6d"),
    ]
    # Sets stand in the order of the group's irreps, the most frequent first.
    assert {k: s.count for k, s in found.key_sets.items()} == {
        ("sign", "standard"): 2,
        ("sign", "standard", "6d"): 1,
    }
    assert next(iter(found.key_sets)) == ("sign", "standard")


def test_an_irrep_that_was_dropped_again_is_not_learned():
    results = make_results(make_cell(seeds=(1, 2)))
    results = with_similarity(results, 0, [[0] * 4, [0, 1, 0, 0], [0] * 4, [0] * 4])
    results = with_similarity(results, 1, [[0] * 4, *[[0, 0, 0, 0]] * 2, [0, 1, 0, 0]])
    sign = universality(results).irreps[0]
    assert (sign.learned.count, sign.step.value, sign.step.num) == (1, 100, 1)


def test_runs_that_did_not_generalise_are_counted_apart():
    results = make_results(make_cell(seeds=(1, 2, 3)), test_accuracy=[1, 0.5, np.nan])
    for run in range(3):
        results = with_similarity(results, run, [[0] * 4, *[[0, 1, 0, 0]] * 3])
    found = universality(results)
    assert (found.generalised.count, found.generalised.total) == (1, 3)
    assert found.irreps[0].learned.total == found.irreps[0].learned.count == 1
    assert [irrep.name for irrep in found.irreps] == list(IRREPS[1:])


def test_of_no_run_that_generalised_there_is_nothing_to_count():
    found = universality(make_results(test_accuracy=0.2))
    assert found.generalised.count == 0
    assert found.irreps[0].learned.value is None
    assert found.mean_num_key is None
    assert found.num_key == found.key_sets == found.orders == {}


def test_imported_networks_have_key_irreps_but_no_order():
    results = learned([("standard", "sign"), ("standard",)])
    for values in results.metrics.values():
        values[:, :-1] = np.nan
    found = universality(results)
    assert [irrep.learned.count for irrep in found.irreps[:2]] == [1, 2]
    assert found.orders == {}
    assert all(irrep.step is None and irrep.places == () for irrep in found.irreps)
