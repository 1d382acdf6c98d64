from dataclasses import replace

import numpy as np
import pytest

from repjax.report.merging import merge, unique_names
from repjax.storage.results import CellResults
from tests.made_up import make_cell, make_results


def cell_of(seeds, loss, group="S4", architecture="mlp", **settings) -> CellResults:
    cell = replace(make_cell(group, architecture, seeds), **settings)
    return make_results(cell, test_loss=loss)


def test_seeds_of_several_workdirs_are_one_cell():
    first, second = cell_of((3, 4), [0.3, 0.4]), cell_of((1, 2), [0.1, 0.2])
    (merged,) = merge([first, second])
    assert merged.results.cell.seeds == (1, 2, 3, 4)
    np.testing.assert_allclose(merged.results.final("test_loss"), [0.1, 0.2, 0.3, 0.4])
    assert merged.sources == ((1, 0), (1, 1), (0, 0), (0, 1))
    assert merged.repeated == ()
    assert merged.results.cell.name == "S4_mlp"


def test_a_seed_that_comes_again_counts_once():
    first, second = cell_of((1, 2), [0.1, 0.2]), cell_of((2, 3), [9, 0.3])
    (merged,) = merge([first, second])
    np.testing.assert_allclose(merged.results.final("test_loss"), [0.1, 0.2, 0.3])
    assert merged.repeated == (2,)


def test_evaluations_at_other_steps_are_blank_where_not_made():
    first, second = cell_of((1,), 0.1), cell_of((2,), 0.2)
    second = replace(second, steps=np.array([0, 2, 10, 100]))
    (merged,) = merge([first, second])
    assert merged.results.steps.tolist() == [0, 1, 2, 10, 100]
    blank = np.isnan(merged.results.metrics["test_loss"])
    np.testing.assert_array_equal(blank, [[0, 0, 1, 0, 0], [0, 1, 0, 0, 0]])
    np.testing.assert_allclose(merged.results.final("test_loss"), [0.1, 0.2])


@pytest.mark.parametrize(
    "change", [{"group": "C5"}, {"architecture": "bilinear"}, {"num_steps": 7}]
)
def test_other_settings_are_another_cell(change):
    assert len(merge([cell_of((1,), 0.1), cell_of((2,), 0.2, **change)])) == 2


def test_cells_are_named_by_what_varies():
    cells = [cell_of((1,), 0.1), cell_of((1,), 0.1, train_fraction=0.9)]
    names = [merged.results.cell.name for merged in merge(cells)]
    assert names == ["S4_mlp_train_fraction=0.4", "S4_mlp_train_fraction=0.9"]
    # What a sweep says that it varies stays, though the other points are not given.
    (alone,) = merge([cell_of((1,), 0.1, swept=("train_fraction",))])
    assert alone.results.cell.name == "S4_mlp_train_fraction=0.4"
    assert alone.results.settings == "train_fraction=0.4"


def test_settings_of_another_architecture_do_not_matter():
    first = cell_of((1,), 0.1, architecture="transformer")
    mlp = replace(first.cell.mlp, hidden_dim=7)
    second = cell_of((2,), 0.1, architecture="transformer", mlp=mlp)
    assert len(merge([first, second])) == 1
    assert len(merge([cell_of((1,), 0.1), cell_of((2,), 0.1, mlp=mlp)])) == 2


def test_imported_networks_stay_apart():
    imported = cell_of((1,), 0.1)
    for values in imported.metrics.values():
        values[:, :-1] = np.nan
    merged = merge([imported, cell_of((1,), 0.2)])
    assert [m.results.cell.name for m in merged] == ["S4_mlp", "S4_mlp"]
    assert all(m.repeated == () for m in merged)


def test_a_table_file_is_never_merged_with_the_group_of_its_name():
    told = [cell_of((1,), 1.0, group="S4"), cell_of((2,), 2.0, group="S4.csv")]
    assert len(merge(told)) == 2


def test_names_of_equal_cells_are_numbered():
    trained, other = cell_of((1,), 0.1), cell_of((1,), 0.1, architecture="bilinear")
    imported = cell_of((1,), 0.2)
    for values in imported.metrics.values():
        values[:, :-1] = np.nan
    parts = merge([trained, imported, other])
    assert unique_names(parts) == ("S4_bilinear", "S4_mlp", "S4_mlp_2")
    assert unique_names([*parts, parts[1]])[-1] == "S4_mlp_3"
