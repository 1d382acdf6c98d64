from dataclasses import replace

from repjax.report.settings import swept_settings
from tests.made_up import make_cell, make_results


def test_each_swept_setting_is_a_column_and_every_cell_has_its_value():
    cell = make_cell()
    key = "optimizer.weight_decay"
    optimizer = replace(cell.optimizer, weight_decay=0.25)
    one = replace(cell, swept=(key,), optimizer=optimizer)
    two = replace(cell, swept=("num_steps",), num_steps=7)

    found = swept_settings([make_results(one), make_results(two)])

    assert found.keys == (key, "num_steps")
    assert found.values[0] == ("0.25", str(cell.num_steps))
    assert found.values[1] == (str(cell.optimizer.weight_decay), "7")


def test_no_sweep_has_no_column():
    assert swept_settings([make_results()]).keys == ()
