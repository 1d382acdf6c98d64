import csv
import json
import sys
from functools import partial
from pathlib import Path

import pytest

from repjax import published as importer
from repjax import table3
from repjax.export import read_checkpoint
from repjax.settings.config import CellConfig
from repjax.storage.results import load_workdir
from repjax.storage.workdirs import cell_directories, read_cell
from tests.programs import call
from tests.published_run import write_run


def test_table3_works_on_an_import(published, torch, tmp_path, capsys):
    runs = [published / f"A5_MLP_seed{seed}" for seed in (2, 1)]
    assert call(importer, *runs, f"--workdir={tmp_path}") == 0
    for _ in range(2):  # with and without results of its own
        assert call(table3, f"--workdir={tmp_path}") == 0
        rows = list(csv.DictReader((tmp_path / "seeds.csv").read_text().splitlines()))
        assert [(row["seed"], row["steps"]) for row in rows] == [
            ("1", "250000"),
            ("2", "250000"),
        ]
        assert float(rows[0]["test_loss"]) == pytest.approx(6.269e-5, rel=1e-3)
        assert rows[0]["key_irreps"] == "standard;3d_a;3d_b"
    assert "A5" in (tmp_path / "table3.md").read_text()
    (results,) = load_workdir(tmp_path)
    assert results.final("test_accuracy").tolist() == [1, 1]


def cells(workdir) -> list[CellConfig]:
    return [read_cell(directory) for directory in cell_directories([workdir])]


def test_other_widths_are_cells_of_their_own(torch, tmp_path):
    """Hidden 32 to 112, the embedding twice that, beside the paper's 128."""
    runs = [
        write_run(
            tmp_path / f"{hidden}_{seed}",
            torch,
            {"seed": seed, "layers": {"embed_dim": 2 * hidden, "hidden_dim": hidden}},
        )
        for hidden, seed in ((32, 2), (32, 1), (112, 1), (128, 1))
    ]
    workdir = tmp_path / "workdir"
    assert call(importer, *runs, f"--workdir={workdir}") == 0
    assert {cell.name: cell.seeds for cell in cells(workdir)} == {
        "S3_mlp": (1,),
        "S3_mlp_embed_dim=64_hidden_dim=32": (1, 2),
        "S3_mlp_embed_dim=224_hidden_dim=112": (1,),
    }
    assert (workdir / "manifest.json").exists()
    assert call(table3, f"--workdir={workdir}") == 0
    assert len((workdir / "seeds.csv").read_text().splitlines()) == 5


def test_importing_again_replaces(torch, tmp_path):
    workdir = tmp_path / "workdir"
    directory = write_run(tmp_path / "run", torch)
    read = partial(read_checkpoint, workdir, "S3_mlp_embed_dim=64_hidden_dim=32/2")
    assert call(importer, directory, f"--workdir={workdir}") == 0
    assert call(table3, f"--workdir={workdir}") == 0
    assert len(load_workdir(workdir)) == 1
    before = read().weights["W_U"]
    torch.save(
        torch.load(directory / "model.pt") | {"W_U": torch.ones(32, 6)},
        directory / "model.pt",
    )
    assert call(importer, directory, f"--workdir={workdir}") == 0
    assert (read().weights["W_U"] == 1).all() and (before != 1).any()
    assert load_workdir(workdir) == ()  # results were those of the other weights


def test_a_cell_that_has_other_runs_is_refused(torch, tmp_path, capsys):
    workdir = tmp_path / "workdir"
    runs = [write_run(tmp_path / f"{seed}", torch, {"seed": seed}) for seed in (1, 2)]
    assert call(importer, runs[0], f"--workdir={workdir}") == 0
    capsys.readouterr()
    assert call(importer, *runs, f"--workdir={workdir}") == 2
    for line in capsys.readouterr().err.splitlines()[:2]:
        assert "seeds: [1, 2] differs from [1]" in line
        assert line.endswith("use another --workdir")


class Code:
    """Unpickled by who allows it, makes a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def test_failures_are_listed_and_the_rest_imported(torch, tmp_path, capsys):
    def damage(path):
        path.write_bytes(path.read_bytes()[:999])

    good = write_run(tmp_path / "good", torch)
    shape = write_run(tmp_path / "shape", torch, tensors={"W": torch.zeros(3, 4)})
    lacks = write_run(tmp_path / "lacks", torch, {"model": "Transformer"})
    infinite = {"W_U": torch.full((32, 6), torch.inf)}
    infinite = write_run(tmp_path / "infinite", torch, tensors=infinite)
    short = write_run(tmp_path / "short", torch)
    damage(short / "model.pt")
    foreign = write_run(tmp_path / "foreign", torch)
    torch.save([1, 2], foreign / "model.pt")
    sparse = {"W": torch.zeros(128, 32).to_sparse()}
    sparse = write_run(tmp_path / "sparse", torch, tensors=sparse)
    code = write_run(tmp_path / "code", torch)
    torch.save({"W_x": Code(tmp_path / "was_run")}, code / "model.pt")
    again = write_run(tmp_path / "again", torch)
    no_json = write_run(tmp_path / "no_json", torch)
    (no_json / "cfg.json").write_text("{")
    expected = {
        shape: "model.pt: W has shape (3, 4); S3 mlp needs (128, 32)",
        lacks: "model.pt: tensor embed.W_E is missing",
        infinite: "model.pt: W_U holds numbers that are not finite",
        short: "model.pt: not a readable PyTorch state dict",
        foreign: "model.pt: not a readable PyTorch state dict: it holds a list",
        sparse: "model.pt: not a readable PyTorch state dict: TypeError",
        code: "model.pt: not a readable PyTorch state dict: UnpicklingError",
        again: f"settings and seed are those of {good}",
        no_json: "cfg.json: not JSON",
        tmp_path / "absent": "cfg.json: No such file",
    }
    workdir = tmp_path / "workdir"
    assert call(importer, good, *expected, f"--workdir={workdir}") == 2
    *lines, last = capsys.readouterr().err.splitlines()
    assert last == "repjax: 10 of 11 runs were not imported"
    for line, (directory, message) in zip(lines, expected.items(), strict=True):
        assert line.startswith(f"repjax: {directory}: {message}")
    assert not (tmp_path / "was_run").exists()
    assert [cell.seeds for cell in cells(workdir)] == [(2,)]
    manifest = json.loads((workdir / "manifest.json").read_text())
    assert manifest["imported"] == [str(good)]
    assert len(manifest["failures"]) == len(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "repjax: RUN_DIR: missing; name one or more\n"),
        (["run"], "repjax: --workdir: missing; use a directory"),
        (["run", "--wrokdir=x"], "repjax: --wrokdir: unknown; did you mean --workdir?"),
    ],
)
def test_bad_flags_are_one_line(capsys, arguments, message):
    assert call(importer, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(message) and error.count("\n") == 1


def test_without_torch_one_line_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert call(importer, "run", f"--workdir={tmp_path}") == 2
    error = capsys.readouterr().err
    assert "pip install 'repjax[torch]'" in error and error.count("\n") == 1
