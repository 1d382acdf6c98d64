from dataclasses import replace

import numpy as np
import pytest

from repjax.report.periodic import Member, periodic_table
from tests.made_up import IRREPS, make_cell, make_results, with_similarity

TYPES = ("real",) * 4


def member(name, architecture="mlp", seeds=(1, 2), accuracy=1.0, group="S4", order=24):
    """Runs that learn sign at step 1, and of which the first learns standard at 10."""
    cell = make_cell(group, architecture, seeds)
    results = make_results(cell, test_accuracy=accuracy)
    for run in range(len(seeds)):
        standard = 0.6 * (run == 0)
        last = [0, 0.8, 0, standard]
        curves = [[0] * 4, [0, 0.8, 0, 0], last, last]
        results = with_similarity(results, run, curves)
    for of, share in (("a", 0.1), ("b", 0.2), ("ab", 0.3)):
        results.metrics[f"hidden_{of}"][:, -1, IRREPS.index("sign")] = share
    return Member(name, results, order, TYPES)


def test_a_square_says_how_often_when_and_how_much():
    squares = {square.irrep: square for square in periodic_table([member("S4_mlp")])}
    assert list(squares) == list(IRREPS[1:])
    sign, standard = squares["sign"], squares["standard"]
    assert (sign.group, sign.order, sign.dim, sign.type) == ("S4", 24, 1, "real")
    assert (sign.learned.count, sign.learned.total) == (2, 2)
    assert sign.step.value == 1
    assert sign.explained_hidden.value == pytest.approx(0.6)
    assert sign.explained_logits.value == pytest.approx(0.64)
    assert (standard.learned.count, standard.learned.total) == (1, 2)
    assert (standard.step.value, standard.step.num) == (10, 1)
    assert squares["2d"].learned.count == 0
    assert squares["2d"].step is squares["2d"].explained_hidden is None


def test_architectures_are_pooled_and_apart():
    table = periodic_table(
        [
            member("S4_mlp"),
            member("S4_transformer", "transformer", (1, 2, 3), [1, 1, 0.1]),
        ]
    )
    standard = table[-1]
    assert (standard.learned.count, standard.learned.total) == (2, 4)
    assert {name: s.learned.total for name, s in standard.by_story.items()} == {
        "S4_mlp": 2,
        "S4_transformer": 2,
    }


def test_groups_stand_by_order():
    table = periodic_table(
        [member("S4_mlp"), member("V_mlp", group="V", order=4), member("S4_2")]
    )
    assert [square.group for square in table] == ["V"] * 3 + ["S4"] * 3


def test_imported_networks_count_without_a_step():
    one = member("S4_mlp")
    for values in one.results.metrics.values():
        values[:, :-1] = np.nan
    imported = periodic_table([one])[0]
    assert imported.learned.count == 2 and imported.step is None
    both = periodic_table([one, replace(member("other"))])[0]
    assert (both.learned.count, both.step.num) == (4, 2)
