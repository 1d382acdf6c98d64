"""The parts of a training step, by what is left when one of them is taken out."""

import numpy as np
import pytest

from benchmarks import breakdown, timing, train_step

SECONDS = {"step": 10, "without cross-entropy": 9, "without pairs": 3, "gemm": 1}


def test_parts_of_a_step_are_told_apart(monkeypatch):
    """All three programs run; how long they take is nobody's claim."""
    timed = timing.interleaved

    def interleaved(actions, budget):
        assert timed(actions, budget, least=1).keys() == SECONDS.keys()
        return {name: np.array([seconds]) for name, seconds in SECONDS.items()}

    monkeypatch.setattr(timing, "GEMM_SIZE", 64)
    monkeypatch.setattr(train_step, "TURN_SECONDS", 0.01)
    monkeypatch.setattr(breakdown, "trainer", lambda c: (train_step.trainer(c)[0], 1))
    monkeypatch.setattr(timing, "for_a_turn", lambda step, length: (step, 1))
    monkeypatch.setattr(timing, "interleaved", interleaved)
    row = breakdown.row("a5-mlp", 1, 0.0)
    parts = ("network", "cross_entropy", "other")
    assert [row[f"{part}_percent"] for part in parts] == pytest.approx([60, 10, 30])
    assert row["ms_per_run_step"] == 10_000 and row["network_gemm_percent"] > 0
