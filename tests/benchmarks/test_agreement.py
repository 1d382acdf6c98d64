"""Whether another precision gives the same results is told rightly."""

import dataclasses
import json

import numpy as np

from benchmarks import agreement
from tests.made_up import make_cell, make_results, with_similarity
from tests.programs import call


def test_agreement_is_within_the_spread_over_seeds(tmp_path):
    """The mean of the other's W_a lies below all of the reference's."""
    cell = make_cell("S5", "mlp")
    make_results(cell, fve_w_a=[0.8, 0.9], test_loss=[1.0, 2.0]).save(tmp_path / "f/c")
    other = dataclasses.replace(cell, matmul_precision="default")
    make_results(other, fve_w_a=[0.7, 0.8], test_loss=[0.5, 2.0]).save(tmp_path / "d/c")
    out = tmp_path / "rows.json"
    flags = [f"--reference={tmp_path / 'f'}", f"--other={tmp_path / 'd'}"]
    assert call(agreement, *flags, f"--out={out}") == 0
    agrees = {row["metric"]: row["agrees"] for row in json.loads(out.read_text())}
    assert len(agrees) == 9 and sum(agrees.values()) == 8 and not agrees["fve_w_a"]
    assert call(agreement, flags[0], f"--other={tmp_path}") == 2


def test_agreement_leaves_out_runs_that_diverged(tmp_path, capsys):
    cell = make_cell("S5", "mlp")
    lost = {"train_loss": [0.1, np.nan], "fve_w_a": [0.8, np.nan]}
    make_results(cell, **lost).save(tmp_path / "f/c")
    make_results(cell, fve_w_a=0.8).save(tmp_path / "d/c")
    flags = [f"--reference={tmp_path / 'f'}", f"--other={tmp_path / 'd'}"]
    assert call(agreement, *flags) == 0
    assert "8 of 8 means agree" in capsys.readouterr().out
    make_results(dataclasses.replace(cell, num_steps=7)).save(tmp_path / "e/c")
    assert call(agreement, flags[0], f"--other={tmp_path / 'e'}") == 2
    assert "--other: num_steps 7 of S5_mlp" in capsys.readouterr().err


def test_agreement_compares_the_laws_of_key_sets(tmp_path, capsys):
    """Eight runs of each: all with one key set, and all with another."""
    cell = dataclasses.replace(make_cell("S5", "mlp"), seeds=tuple(range(8)))
    for name, irrep in (("f", 1), ("d", 1), ("e", 2)):
        results = make_results(cell)
        similarity = np.zeros(results.metrics["logit_similarity"].shape[1:])
        similarity[-1, irrep] = 0.9
        for run in range(8):
            results = with_similarity(results, run, similarity)
        results.save(tmp_path / name / "c")
    for name, agrees in (("d", 1), ("e", 0)):
        flags = f"--reference={tmp_path / 'f'}", f"--other={tmp_path / name}"
        assert call(agreement, *flags) == 0
        assert f"{agrees} of 1 laws of key sets agree" in capsys.readouterr().out
