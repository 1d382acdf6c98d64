"""The cells that a report is asked for: --cells and --step."""

import pytest

from repjax.engine.progress import Progress
from repjax.report import __main__ as program
from repjax.settings.rules import ConfigError
from tests.programs import call
from tests.tiny import tiny_cell, train_cell

CELLS = [tiny_cell(), tiny_cell(groups=("C6",), num_steps=20)]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """Two cells that end at different steps."""
    folder = tmp_path_factory.mktemp("trained")
    for cell in CELLS:
        train_cell(cell, folder, Progress())
    return folder


def build(workdir, *arguments):
    directories = [workdir / cell.name for cell in CELLS]
    return program.build_report(directories, 1, {}, *arguments)


def test_a_pattern_without_a_cell_is_refused_and_nothing_written(workdir, capsys):
    """A good report stays as it is."""
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    assert call(program, f"--workdir={workdir}", "--cells=Z*") == 2
    assert capsys.readouterr().err == (
        "repjax: --cells: 'Z*' matches no cell; the cells are C6_mlp, S3_mlp\n"
    )
    assert {path: path.stat().st_mtime_ns for path in workdir.rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "refused"), [((20,), "S3_mlp"), ((40, "C6*"), "C6_mlp")]
)
def test_a_step_that_a_cell_lacks_is_refused_by_its_name(workdir, arguments, refused):
    with pytest.raises(ConfigError) as error:
        build(workdir, *arguments)
    _, _, allowed = str(error.value).partition("; ")
    step = arguments[0]
    assert str(error.value) == f"--step: {step} is not allowed for {refused}; {allowed}"
    assert allowed.startswith(f"use one of {60 - step}, or train with ")


def test_a_step_is_that_of_the_cells_that_are_chosen(workdir):
    """The others are taken apart at their last one."""
    report = build(workdir, 20, "C6*")
    assert [len(story.anatomies) for story in report.stories] == [1, 1]
