from dataclasses import replace

import pytest

from repjax.dataset import card as cards
from repjax.dataset.card import Origin, card, columns_in_words, table
from repjax.settings.config import OptimizerConfig
from tests.dataset.parts import make_part
from tests.made_up import make_cell, make_results

CALL = {
    "commit": "abc",
    "config_file": "/somewhere/s4.py",
    "devices": ["cpu"],
    "processor": "slow",
    "versions": {"jax": "1.0"},
}
ORIGIN = Origin(
    manifests=[CALL | {"earlier": [CALL, CALL | {"commit": "def"}]}],
    missing=["S4_mlp: seed 3 missing: not in these workdirs"],
    commit="123",
    versions={"repjax": "0.1.0"},
)
NUM_ROWS = {"runs": 2, "irreps": 8, "evaluations": 1234}


def decayed(rate):
    cell = make_cell()
    optimizer = OptimizerConfig(**vars(cell.optimizer) | {"weight_decay": rate})
    return make_part(make_results(replace(cell, optimizer=optimizer)))


def test_the_card_says_what_how_and_whence():
    text = card([decayed(0.5), decayed(2.0)], NUM_ROWS, ORIGIN)
    assert "| evaluations.parquet | 1,234 | one row for each run and" in text
    assert "| `optimizer.weight_decay` | 0.5, 2.0 |" in text
    assert "| `num_steps` | 250000 |" in text and "transformer.d_mlp` |" in text
    assert "| `transformer.d_mlp` | " not in text.partition("## Columns")[0]
    assert "SmallGroup(24,12) | 24 | seeds 1 to 2 | 2 of 2 | 0 |" in text
    assert "seed 3 missing" in text and "Apache-2.0" in text
    assert text.count("- Trained with `s4.py`, commit `abc`, on cpu (slow)") == 1
    assert text.count("commit `def`") == 1 and "somewhere" not in text
    assert columns_in_words() in text


def test_the_card_of_a_large_sweep_stays_short(monkeypatch):
    monkeypatch.setattr(cards, "MOST_CELLS", 1)
    monkeypatch.setattr(cards, "MOST_VALUES", 2)
    text = card([decayed(rate) for rate in (3.0, 1.0, 2.0)], NUM_ROWS, ORIGIN)
    assert "3 values, 1.0 to 3.0" in text
    assert "3 cells, listed in runs.parquet" in text


@pytest.mark.parametrize(("text", "cell"), [("a", "a"), ("|x|", r"\|x\|")])
def test_a_table_is_markdown(text, cell):
    expected = f"| head |\n| --- |\n| {cell} |"
    assert table(["head"], [[text]]) == expected
