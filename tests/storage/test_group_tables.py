"""Groups from files are kept with the cells that were trained on them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import repjax.report.__main__ as report
from repjax import main, table3
from repjax.groups import build_group, names
from repjax.storage.group_tables import GROUP_TABLE, store_group
from repjax.storage.workdirs import read_cell
from tests.programs import call

ROOT = Path(__file__).parents[2]
TINY = (
    f"--config={ROOT}/experiments/quickstart.py",
    "--config.num_seeds=2",
    "--config.num_steps=8",
    "--config.mlp.embed_dim=8",
    "--config.mlp.hidden_dim=8",
    "--config.evaluation.num_evaluations=3",
)


def forget():
    """Behave as a new process does: no file was read."""
    build_group.cache_clear()
    names._kept.clear()


def write_table(path, name, order=None):
    """Write the table of a group, its elements renumbered."""
    group = build_group(name)
    place = np.arange(group.order) if order is None else np.array(order)
    table = np.empty_like(group.table)
    table[np.ix_(place, place)] = place[group.table]
    np.savetxt(path, table, "%d", ",")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workdir trained on two groups of order 6 from files, and its files."""
    folder = tmp_path_factory.mktemp("files")
    files = folder / "one.csv", folder / "two.perm"
    write_table(files[0], "C6")
    files[1].write_text("(1 2 3)\n(1 2)")
    workdir = folder / "run"
    groups = f"--config.groups={files[0]},{files[1]}"
    assert call(main, *TINY, groups, f"--workdir={workdir}") == 0
    return workdir, files, groups


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of the workdir, and no file any more; afterwards they are back."""
    workdir, files, _ = trained
    contents = [file.read_bytes() for file in files]
    shutil.copytree(workdir, tmp_path / "copy")
    for file in files:
        file.unlink()
    forget()
    yield tmp_path / "copy"
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    forget()


def test_a_workdir_is_readable_without_the_files(trained, copy, tmp_path, capsys):
    workdir, files, _ = trained
    for file in files:
        assert (copy / f"{file.stem}_mlp" / GROUP_TABLE).exists()
    assert call(table3, f"--workdir={copy}", f"--out={tmp_path}/out") == 0
    for name in ("seeds.csv", "table3.md"):
        assert (tmp_path / "out" / name).read_bytes() == (workdir / name).read_bytes()
    assert "cannot tell" not in capsys.readouterr().err
    assert build_group(str(files[1])).elements[1] == "(2 3)"


@pytest.mark.parametrize("program", [table3, report, main])
def test_another_table_in_the_file_is_refused(trained, copy, program, capsys):
    _, files, groups = trained
    write_table(files[0], "C6", [0, 2, 1, 3, 4, 5])
    files[1].write_text("(1 2 3)\n(1 2)")
    arguments = (*TINY, groups) if program is main else ()
    assert call(program, *arguments, f"--workdir={copy}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"'{files[0]}' now holds another table than at training" in line


def test_a_damaged_table_is_named(copy, capsys):
    path = copy / "one_mlp" / GROUP_TABLE
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {"table": arrays["table"].T[::-1]})
    assert call(table3, f"--workdir={copy}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}: not a readable table of a group (its digest differs)" in line


def test_one_name_for_two_groups_is_refused(trained, copy, tmp_path, capsys):
    _, files, _ = trained
    other = tmp_path / "other"
    shutil.copytree(copy, other)
    write_table(files[0], "S3")
    cell = replace(read_cell(copy / "two_mlp"), group=str(files[0]))
    store_group(cell, other / "one_mlp")
    files[0].unlink()
    forget()
    assert call(table3, f"--workdir={copy}", f"--workdir={other}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"'{files[0]}' was another group in other workdirs" in line
