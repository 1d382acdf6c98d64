"""What the console says of a sweep in a workdir, before and after training."""

import re

from repjax import main
from tests.faults.program import Sweep
from tests.programs import call


def test_the_plan_is_printed_before_training(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert call(main, *Sweep(tmp_path, "S3,C7", num_steps=2).flags("workdir")) == 0
    out = capsys.readouterr().out
    *cells, total, here = out.partition("\nS3_mlp: 3 runs")[0].splitlines()
    assert len(cells) == 4
    for cell in cells:
        assert re.search(
            r"3 runs x 2 steps.* operations and .* [KM]iB a run; 1 at", cell
        )
    assert total.startswith("4 cells, 12 runs") and re.match(r"about \d+ seconds", here)


def test_a_dry_run_reads_the_workdir_and_writes_nothing(tmp_path, capsys):
    """Other settings are refused; nothing of a finished sweep is left to train."""
    flags = Sweep(tmp_path, "S3", num_steps=2, architectures="mlp").flags("workdir")
    assert call(main, *flags, "--dry_run") == 0
    assert not list(tmp_path.iterdir())
    assert call(main, *flags) == 0
    workdir = tmp_path / "workdir"
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"repjax: seeds.csv and table3.* are in {workdir}; next: "
        f"repjax report --workdir={workdir}"
    )
    files = sorted(workdir.rglob("*"))
    assert call(main, *flags, "--dry_run") == 0
    assert capsys.readouterr() == ("1 of 1 cell is finished\n", "")
    assert call(main, *flags, "--config.num_steps=3", "--dry_run") == 2
    assert capsys.readouterr() == (
        "",
        f"repjax: num_steps: 3 differs from 2, with which {workdir}/S3_mlp was begun; "
        "use another --workdir\n",
    )
    assert sorted(workdir.rglob("*")) == files


def test_a_finished_sweep_is_not_announced_as_work(tmp_path, capsys):
    flags = Sweep(tmp_path, "S3", num_steps=2, architectures="mlp").flags("workdir")
    for _ in range(2):
        assert call(main, *flags) == 0
    again = capsys.readouterr().out.rpartition("repjax report")[0]
    first, second, *_ = again.partition("1 of 1 cell is finished")[2].splitlines()[1:]
    assert first == "S3_mlp: already finished"
    assert second.startswith("  seed 1  ")
    assert again.count("to compile") == 1


def test_steps_taken_are_left_out_of_the_estimate(tmp_path, capsys):
    """After half of the steps, by the names of the checkpoints."""
    sweep = Sweep(tmp_path, "S3", num_steps=40, architectures="mlp")
    flags = sweep.flags("workdir")
    assert call(main, *flags) == 0
    cell = tmp_path / "workdir" / "S3_mlp"
    (cell / "trajectory.npz").unlink()
    for path in (cell / "checkpoints").glob("[1-9]*"):  # saved on the way, too
        path.rename(path.with_name(f"of-{path.name}"))
    (cell / "checkpoints" / "20").mkdir()
    capsys.readouterr()
    assert call(main, *flags, "--dry_run") == 0
    assert "3 runs x 40 steps from step 20, train" in capsys.readouterr().out
