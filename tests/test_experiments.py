import ast
from pathlib import Path

import pytest

from experiments import base, table3
from repjax.command_line import ConfigFileParser
from repjax.settings.config import CellConfig, from_config_dict
from repjax.settings.sweep import expand

FOLDER = Path(__file__).parent.parent / "experiments"
FILES = sorted(set(FOLDER.glob("*.py")) - {FOLDER / "__init__.py"})
STUDIES = ("c113", "c118", "d59", "d61", "s5", "s6", "a5")

# Steps and train fractions of the paper, typed in from its appendix.
PAPER = {
    "C113_mlp": (250_000, 0.3),
    "C113_transformer": (50_000, 0.3),
    "C118_mlp": (250_000, 0.3),
    "C118_transformer": (50_000, 0.3),
    "D59_mlp": (250_000, 0.3),
    "D59_transformer": (100_000, 0.3),
    "D61_mlp": (250_000, 0.3),
    "D61_transformer": (100_000, 0.3),
    "S5_mlp": (250_000, 0.4),
    "S5_transformer": (50_000, 0.6),
    "S6_mlp": (250_000, 0.25),
    "S6_transformer": (20_000, 0.4),
    "A5_mlp": (250_000, 0.5),
    "A5_transformer": (250_000, 0.6),
}
PAPER_OPTIMIZER = {
    "learning_rate": 1e-3,
    "weight_decay": 1.0,
    "beta1": 0.9,
    "beta2": 0.98,
    "eps": 1e-8,
}
PAPER_MLP = {"embed_dim": 256, "hidden_dim": 128}
PAPER_TRANSFORMER = {
    "num_heads": 4,
    "d_model": 128,
    "d_head": 32,
    "d_mlp": 512,
    "init_scale": 0.8,
}


def cells_of(file: Path) -> list[CellConfig]:
    return expand(from_config_dict(ConfigFileParser().parse(str(file))))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_experiment_loads_validates_and_expands(file):
    cells = cells_of(file)
    assert cells
    assert cells_of(file) == cells


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_experiments_are_data_with_a_docstring(file):
    tree = ast.parse(file.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"ml_collections", "experiments"}
    docstring = ast.get_docstring(tree) or ""
    if file.stem != "base":
        command = f"repjax train --config={file.stem} --workdir="
        assert f"Command: {command}" in docstring
        assert "Cost: " in docstring
        assert "Result: " in docstring


def test_table3_is_the_papers():
    cells = cells_of(FOLDER / "table3.py")
    assert {cell.name: (cell.num_steps, cell.train_fraction) for cell in cells} == PAPER
    for cell in cells:
        written = cell.to_json()
        assert written["optimizer"] == PAPER_OPTIMIZER
        assert written["mlp"] == PAPER_MLP
        assert written["transformer"] == PAPER_TRANSFORMER
        assert (cell.task, cell.seeds) == ("a*b", (1, 2, 3, 4))
        assert cell.matmul_precision == "highest"


def test_studies_are_the_rows_of_table3():
    studies = [cell for name in STUDIES for cell in cells_of(FOLDER / f"{name}.py")]
    assert studies == cells_of(FOLDER / "table3.py")


def test_quickstart_is_small():
    cells = cells_of(FOLDER / "quickstart.py")
    assert [cell.name for cell in cells] == ["D12_mlp", "A5_mlp"]
    assert all(cell.num_steps <= 20_000 for cell in cells)


def test_nothing_that_reads_a_config_changes_it():
    config = table3.get_config()
    before = config.to_json()
    expand(from_config_dict(config), ["num_steps"])
    assert config.to_json() == before
    defaults = base.get_config().to_json()
    config.num_steps = 1
    config.optimizer.eps = 1.0
    assert base.get_config().to_json() == defaults


@pytest.mark.parametrize("largest", ["1", "101", "-1", "abc"])
def test_orders_of_small_groups_are_checked(largest):
    with pytest.raises(ValueError, match="is not an order; use one from 2 to 100"):
        ConfigFileParser().parse(f"{FOLDER / 'small_groups.py'}:{largest}")
