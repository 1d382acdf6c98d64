import csv
from dataclasses import replace

import numpy as np

from repjax.report.seeds import write_seeds
from tests.made_up import make_cell, make_results, with_similarity

CONTRACT = (
    "group,architecture,seed,steps,key_irreps,train_loss,test_loss,train_accuracy,"
    "test_accuracy,excluded_loss,restricted_loss,fve_logits,fve_w_a,fve_w_b,fve_w_u,"
    "fve_mlp,fve_mlp_ab,weight_norm_sq"
)
LATER = "fve_class,fve_ab,fve_equivariant,equivariance_spread"


def read(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_columns_are_the_contract_in_order(tmp_path):
    path = write_seeds([make_results()], tmp_path)
    assert path == tmp_path / "seeds.csv"
    assert path.read_text().splitlines()[0] == f"{CONTRACT},{LATER}"


def test_one_row_per_run_with_its_own_values(tmp_path):
    third = 1 / 3
    mlp = make_results(make_cell(seeds=(7, 8)), test_loss=[third, 1e-7])
    mlp = with_similarity(mlp, 0, [[0] * 4, [0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 1, 1]])
    transformer = make_results(make_cell("C113", "transformer", (1,)))

    rows = read(write_seeds([mlp, transformer], tmp_path))

    names = [(row["group"], row["architecture"], row["seed"]) for row in rows]
    assert names == [
        ("C113", "transformer", "1"),
        ("S4", "mlp", "7"),
        ("S4", "mlp", "8"),
    ]
    assert [row["steps"] for row in rows] == ["100"] * 3
    assert [row["key_irreps"] for row in rows] == ["", "standard;2d", ""]
    assert rows[1]["test_loss"] == repr(third)
    assert rows[2]["test_loss"] == "1e-07"
    assert rows[0]["test_accuracy"] == "1.0"


def test_a_run_that_diverged_has_the_steps_it_took(tmp_path):
    results = make_results(trained_steps=[100, 37], test_loss=[0.5, np.nan])
    rows = read(write_seeds([results], tmp_path))
    assert [row["steps"] for row in rows] == ["100", "37"]
    assert rows[1]["test_loss"] == "nan"


def test_test_columns_are_blank_on_the_whole_table(tmp_path):
    cell = replace(make_cell(), train_fraction=1.0)
    results = make_results(cell, test_loss=np.nan, test_accuracy=np.nan)
    for row in read(write_seeds([results], tmp_path)):
        assert row["test_loss"] == row["test_accuracy"] == ""
        assert row["train_loss"] == "0.25"


def test_float32_reads_back_as_the_same_number(tmp_path):
    results = make_results()
    loss = np.float32([0.1, 3e-8])
    metrics = results.metrics | {"excluded_loss": np.tile(loss[:, None], 4)}
    path = write_seeds([replace(results, metrics=metrics)], tmp_path)
    assert [float(row["excluded_loss"]) for row in read(path)] == loss.tolist()


def test_each_swept_setting_has_a_column_at_the_end(tmp_path):
    cell = replace(make_cell(), swept=("train_fraction",))
    cells = [replace(cell, train_fraction=fraction) for fraction in (0.5, 0.3)]
    path = write_seeds(map(make_results, cells), tmp_path)
    assert path.read_text().splitlines()[0] == f"{CONTRACT},train_fraction,{LATER}"
    assert [row["train_fraction"] for row in read(path)] == ["0.3"] * 2 + ["0.5"] * 2


def test_later_metrics_are_blank_in_old_trajectories(tmp_path):
    """Cells trained before a metric existed stay in one table with new ones."""
    new, old = make_results(make_cell("S4")), make_results(make_cell("A4"))
    for name in LATER.split(","):
        del old.metrics[name]
    rows = read(write_seeds([new, old], tmp_path))
    assert [row["fve_class"] for row in rows] == ["", "", "0.25", "0.25"]
