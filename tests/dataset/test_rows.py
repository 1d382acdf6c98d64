from dataclasses import replace

import numpy as np

from repjax.dataset.columns import FILES
from repjax.dataset.measures import ENERGIES
from repjax.dataset.rows import rows, settings_of
from repjax.metrics import TESTED
from tests.dataset.parts import make_part
from tests.made_up import make_cell, make_results, with_similarity

LEARNED = [[0] * 4, [0, 0, 0.1, 0], [0, 0.2, 0.1, 0], [0.9, 0.3, 0.1, 0.004]]
"""Similarity of a run that learns 2d at step 1 and sign at step 10."""


def learned():
    return with_similarity(make_results(), 0, np.array(LEARNED))


def with_metrics(results, **changes):
    return replace(results, metrics=results.metrics | changes)


def test_rows_have_the_columns_of_their_file():
    for name, values in rows(make_part(learned())).items():
        assert {*values} == {column.name for column in FILES[name]}
        assert {len(column) for column in values.values()} == {
            {"runs": 2, "irreps": 8, "evaluations": 8}[name]
        }


def test_a_run_says_what_it_learned():
    found = rows(make_part(learned()))
    runs, irreps = found["runs"], found["irreps"]
    assert runs["key_irreps"] == [("2d", "sign"), ()]
    assert runs["generalised"].tolist() == [True, True]
    assert runs["generalised_step"] == [100, 100]
    assert runs["memorised_step"] == [None, None]
    assert irreps["is_key"][:4].tolist() == [False, True, True, False]
    np.testing.assert_array_equal(
        irreps["learned_step"], [100, 10, 1, np.nan, *[np.nan] * 4]
    )
    assert irreps["faithful"][:4] == [False, False, False, True]
    assert irreps["seed"].tolist() == [1] * 4 + [2] * 4
    steps, similarity = (
        found["evaluations"][name] for name in ("step", "logit_similarity")
    )
    assert steps.tolist() == [0, 1, 10, 100] * 2
    np.testing.assert_array_equal(similarity[:4], LEARNED)


def test_a_run_that_never_generalised_is_censored():
    runs = rows(make_part(make_results(test_accuracy=[1.0, 0.5])))["runs"]
    assert runs["generalised"].tolist() == [True, False]
    assert runs["generalised_step"] == [100, None]


def test_a_diverged_run_keeps_its_rows():
    results = make_results(train_loss=[0.1, np.nan], trained_steps=[100, 40])
    found = rows(make_part(results))
    assert found["runs"]["diverged"].tolist() == [False, True]
    assert found["runs"]["trained_steps"].tolist() == [100, 40]
    assert len(found["evaluations"]["step"]) == 8


def test_only_the_end_of_an_imported_run_is_there():
    results = learned()
    for values in results.metrics.values():
        values[:, :-1] = np.nan
    found = rows(make_part(results))
    assert found["runs"]["imported"] == [True, True]
    assert found["runs"]["generalised_step"] == [None, None]
    assert found["evaluations"]["step"].tolist() == [100, 100]
    assert np.isnan(found["irreps"]["learned_step"]).all()
    assert found["irreps"]["is_key"].sum() == 2


def test_merged_runs_have_rows_where_they_were_measured():
    one, other = make_results(), make_results(make_cell(seeds=(7,)))
    cell = replace(other.cell, runs_per_device=3)
    other = replace(other, steps=np.array([0, 1, 20, 100]), cell=cell)
    found = rows(make_part(other, one))
    assert found["runs"]["seed"] == [1, 2, 7]
    assert found["runs"]["runs_per_device"] == [0, 0, 3]
    assert found["evaluations"]["step"].tolist() == [0, 1, 10, 100] * 2 + [
        0,
        1,
        20,
        100,
    ]
    assert found["evaluations"]["seed"].tolist() == [1] * 4 + [2] * 4 + [7] * 4


def test_metrics_of_the_whole_table_and_of_older_versions_are_blank():
    results = make_results(replace(make_cell(), train_fraction=1.0))
    blank = {name: np.full((2, 4), np.nan) for name in TESTED}
    results = with_metrics(results, **blank)
    for name in ("fve_ab", "cluster_ab"):
        del results.metrics[name]
    found = rows(make_part(results))
    for name in (*TESTED, "fve_ab"):
        assert np.isnan(found["runs"][name]).all()
        assert np.isnan(found["evaluations"][name]).all()
    assert np.isnan(found["irreps"]["cluster_ab"]).all()
    assert not found["runs"]["generalised"].any()  # train accuracy is 0.25
    assert found["runs"]["imported"] == [False, False]


def test_energies_stand_beside_their_irrep():
    energies = {
        column.name: k + np.arange(8.0).reshape(2, 4) / 8
        for k, column in enumerate(ENERGIES)
    }
    irreps = rows(make_part(learned(), energies=energies))["irreps"]
    assert irreps["energy_w_b"].tolist() == [1 + i / 8 for i in range(8)]
    assert irreps["gradient_w_u"][5] == 5 + 5 / 8


def test_settings_of_other_architectures_are_blank():
    mlp = settings_of(make_cell())
    transformer = settings_of(make_cell(architecture="transformer"))
    assert mlp["mlp.hidden_dim"] == 128 and mlp["transformer.d_mlp"] is None
    assert transformer["mlp.hidden_dim"] is None
    assert transformer["transformer.d_mlp"] == 512
    assert mlp["optimizer.weight_decay"] == transformer["optimizer.weight_decay"] == 1
