"""Which runs are trained as the paper's are, and what is said of others."""

import dataclasses

import pytest

from experiments import table3
from repjax.reference.paper import paper_settings, paper_values, unlike_paper
from repjax.report.means import build_rows, notes
from repjax.settings.config import CellConfig, MlpSizes, from_config_dict
from repjax.settings.sweep import expand
from tests.made_up import make_results

CELLS = {
    (cell.group, cell.architecture): cell
    for cell in expand(from_config_dict(table3.get_config()))
}


def changed(architecture: str) -> CellConfig:
    """The cell of S5, with another training fraction and an MLP of another size."""
    return dataclasses.replace(
        CELLS["S5", architecture],
        train_fraction=0.7,
        mlp=MlpSizes(embed_dim=64, hidden_dim=128),
    )


@pytest.mark.parametrize("cell", CELLS.values(), ids=lambda cell: cell.name)
def test_the_experiment_is_the_papers(cell):
    assert unlike_paper(cell) == {}
    other = dataclasses.replace(cell, num_steps=7)
    assert unlike_paper(other) == {"num_steps": cell.num_steps}


def test_every_cell_of_the_table_has_settings():
    assert list(CELLS) == [*paper_settings()]
    assert {key[:2] for key in paper_values()} == paper_settings().keys()


def test_only_what_concerns_the_network_is_said():
    theirs = {"train_fraction": 0.4, "mlp.embed_dim": 256}
    assert unlike_paper(changed("mlp")) == theirs
    assert unlike_paper(changed("transformer")) == {"train_fraction": 0.6}
    assert unlike_paper(dataclasses.replace(changed("mlp"), group="S4")) == {}


def test_it_is_noted_under_the_table():
    as_paper = make_results(CELLS["A5", "mlp"])
    other = make_results(changed("transformer"))
    assert notes(build_rows([as_paper, other])) == [
        "The paper's values are left out where its settings differ: for S5, "
        "Transformer it has train_fraction 0.6."
    ]
