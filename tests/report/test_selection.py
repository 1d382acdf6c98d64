"""Planted laws of selection show in words, numbers and figures of a report."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from repjax.report.analysis import analysis
from repjax.report.comparisons import MOST_COMPARISONS, compare
from repjax.report.figures import gallery
from repjax.report.figures.look import look
from repjax.report.figures.selection_plan import generalisation_plan, selection_plan
from repjax.report.periodic import Member
from repjax.report.selection import FEWEST_RUNS, select
from repjax.report.selection_numbers import selection_numbers
from repjax.report.selection_tables import comparison_table, selection_tables
from repjax.report.selection_words import (
    FAULT,
    corrected_exchangeability,
    selection_words,
)
from repjax.storage.results import CellResults
from tests.lawful import lawful, lawful_story
from tests.report.test_page import Page, write
from tests.told import make_curves, report_of, tell, without_past

SWAP = [0, 2, 1, 3]
"""Exchanges the first two of three irreps, after the trivial one."""


def keys(num_runs=200, chances=(0.4, 0.4, 0.7), seed=0):
    return np.random.default_rng(seed).random((num_runs, len(chances))) < chances


def words(story, adjusted=None):
    return " ".join(selection_words(story, adjusted))


def figures(story):
    found = {}
    with look():
        for name, title, caption, plot in selection_plan(story):
            assert title and caption.endswith(".")
            figure = plot()
            if figure is not None:
                figure.canvas.draw()
                found[name] = figure
    return found


def members(*stories):
    return [Member(s.name, s.results, s.order, s.types) for s in stories]


def swept_over_decay(decay: float, is_key: np.ndarray) -> CellResults:
    results = lawful(is_key)
    cell = results.cell
    return replace(
        results,
        cell=replace(
            cell,
            optimizer=replace(cell.optimizer, weight_decay=decay),
            swept=("optimizer.weight_decay",),
        ),
    )


def test_a_planted_law_shows_in_the_words():
    is_key = np.zeros((200, 3), bool)
    is_key[:120, 0] = is_key[120:, 1] = is_key[:, 2] = True
    results = lawful(is_key, dims=(1, 1, 3))
    results.metrics["test_accuracy"][190:] = 0.5
    found = words(lawful_story(results, rho_set_sizes=(1, 2, 2, 4)))
    assert found.startswith("190 of 200 runs generalised; the law of key sets is over")
    assert "2 key sets; the most frequent, freq_1, freq_3, in 63.2 % (55.9 " in found
    assert "Exchangeable over Aut(G): no automorphism moves a key set." in found
    assert "smaller dimension comes first in 100.0 % (100.0 to 100.0 %)" in found
    assert "99.0 to 100.0 %) of runs have the same key set for every" not in found
    assert "100.0 % (98.1 to 100.0 %) of runs have the same key set" in found
    assert "grow like d to the 2.00 (2.00 to 2.00)" in found
    assert "Of d², d³, ρ-set², d² misplaces fewest neurons, 0.0 %" in found
    assert "Half of all runs have generalised by step" in found
    assert "AUC" not in found and FAULT not in found


def test_a_sound_law_is_exchangeable_and_a_favoured_irrep_is_a_fault():
    sound = lawful_story(lawful(keys()), [SWAP])
    biased = lawful_story(lawful(keys(chances=(0.6, 0.3, 0.7))), [SWAP])
    assert "Exchangeable over Aut(G): irreps yes, p = " in words(sound)
    assert FAULT not in words(sound) and "numbers of another" not in words(sound)
    found = words(biased)
    assert re.search(r"irreps no, p = \S+ \(exact\); sets no, p = ", found)
    assert FAULT in found


def test_a_seed_used_twice_is_reported():
    results = lawful(keys(50))
    for values in results.metrics.values():
        values[7] = values[3]
    assert "1 run has exactly the numbers of another" in words(lawful_story(results))


def test_many_tests_are_corrected_together():
    stories = [
        replace(lawful_story(lawful(keys(50, seed=k)), [SWAP]), name=f"cell_{k}")
        for k in range(3)
    ]
    adjusted = corrected_exchangeability(stories)
    assert len(adjusted) == 3
    raw = [story.selection.laws.exchangeability for story in stories]
    least = min(p for found in raw for p in (found.irreps.p_value, found.sets.p_value))
    assert min(map(min, adjusted.values())) == pytest.approx(min(1, 6 * least))
    story = stories[0]
    assert "after Holm's correction" in words(story, adjusted[story.name])
    assert corrected_exchangeability([]) == {}


def test_few_runs_have_frequencies_only():
    results = lawful(keys(FEWEST_RUNS - 1))
    story = lawful_story(results, [SWAP])
    assert words(story) == (
        "7 of 7 runs generalised; frequencies only, since tests need 8 such runs."
    )
    assert story.selection.frequencies[2].total == 7
    assert figures(story) == {} and selection_tables(story) == []
    assert story.selection.laws is story.selection.curve is None


def test_where_nothing_can_be_said_nothing_is():
    results = lawful(keys(20))
    results.metrics["test_accuracy"][:] = 0.5
    story = lawful_story(results, [SWAP])
    assert words(story) == (
        "None of 20 runs generalised, so there is no law of key sets. "
        "Less than half of all runs have generalised by the end (Kaplan–Meier)."
    )
    assert figures(story) == {}
    assert selection_words(tell(make_curves(num_runs=1)), None) == ()
    imported = lawful_story(without_past(lawful(keys(20))), [SWAP])
    assert "Order of learning: not measured." in words(imported)
    assert "Half of all runs" not in words(imported)
    assert "order" not in figures(imported)


def test_no_irrep_is_ever_key():
    story = lawful_story(lawful(np.zeros((20, 3), bool)), [SWAP])
    found = words(story)
    assert "1 key set; the most frequent, no irrep, in 100.0 % " in found
    assert "no automorphism moves a key set" in found
    assert set(figures(story)) == {"key_sets", "thresholds"}


def test_on_the_whole_table_train_accuracy_decides():
    results = lawful(keys(20))
    results.metrics["test_accuracy"][:] = np.nan
    results.metrics["train_accuracy"][:5] = 0.5
    results = replace(results, cell=replace(results.cell, train_fraction=1.0))
    story = lawful_story(results)
    found = words(story)
    assert found.startswith("15 of 20 runs learned the whole table; the law of key")
    assert "Half of all runs have learned the whole table by step" in found
    ((_, title, _, plot),) = generalisation_plan([story])
    assert title == "S4 MLP: when runs have learned the whole table"
    with look():
        assert "learned" in plot().axes[0].get_ylabel()


@pytest.fixture(scope="module")
def predicted():
    """Of 300 runs, whose key irreps began with more energy."""
    generator, is_key = np.random.default_rng(0), keys(300)
    energy = generator.gamma(20, size=(300, 4)).astype(np.float32)
    energy[:, 1:][is_key] *= 1.3
    noise = generator.gamma(20, size=(300, 4)).astype(np.float32)
    energies = {"energy_w_a": energy, "energy_w_b": energy, "gradient_w_u": noise}
    return lawful_story(lawful(is_key), [SWAP], energies)


def test_a_lottery_is_found_in_the_initial_energies(predicted):
    found = predicted.selection.laws.prediction
    assert "energy_w_a" in found.aucs and "energy_w_b" not in found.aucs
    assert found.auc.p_value < 0.05 < found.aucs["gradient_w_u"].p_value
    assert "Energies at step 0 predict which runs have an irrep as key with" in words(
        predicted
    )
    drawn = figures(predicted)
    assert {"predictors", "calibration"} <= set(drawn)
    rows = [label.get_text() for label in drawn["predictors"].axes[0].get_yticklabels()]
    assert rows[:2] == ["all", "energy w a"]


def test_figures_show_the_law(predicted):
    drawn = figures(predicted)
    assert set(drawn) == {
        *("frequencies", "key_sets", "order", "thresholds"),
        *("predictors", "calibration"),
    }
    (axes,) = drawn["frequencies"].axes
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "freq_1",
        "freq_2",
        "freq_3",
    ]
    dots, bars = drawn["key_sets"].axes
    assert len(bars.patches) == predicted.selection.laws.sets.num_sets == 8
    assert [len(line.get_xdata()) for line in dots.lines][-1] <= 3


def test_of_many_sets_the_rest_is_one_bar():
    story = lawful_story(lawful(keys(100, (0.5,) * 8)))
    bars = figures(story)["key_sets"].axes[1]
    assert len(bars.patches) == 21
    (label,) = [text.get_text() for text in bars.get_yticklabels()]
    assert label == f"{story.selection.laws.sets.num_sets - 20} more"


def test_numbers_are_json_with_every_part(predicted):
    few = replace(lawful_story(lawful(keys(8)), [SWAP]), name="few")
    report = report_of(few, tell(make_curves("S5", num_runs=1)))
    numbers = json.loads(json.dumps(analysis(report), allow_nan=False))
    assert [cell["selection"] is None for cell in numbers["cells"]] == [False, True]
    assert numbers["cells"][0]["selection"]["laws"]["prediction"] is None
    assert numbers["comparisons"] == []
    law = selection_numbers(predicted.selection, (0.5, 0.9))
    law = json.loads(json.dumps(law, allow_nan=False))
    assert law.keys() == {"generalised", "frequencies", "generalisation", "laws"}
    assert law["frequencies"]["freq_3"]["orbit"] == 1
    laws = law["laws"]
    assert laws.keys() == {
        *("num_sets", "sets", "other_sets", "unseen_mass", "entropy", "thresholds"),
        *("stable", "order", "smaller_first", "exchangeability", "repeated_runs"),
        *("neurons", "prediction"),
    }
    assert sum(one["count"] for one in laws["sets"]) == 300
    assert laws["exchangeability"]["sets"]["adjusted_p_value"] == 0.9
    assert laws["neurons"] is None, "all dimensions agree"
    assert laws["order"]["before"][0][2] > 0 == laws["order"]["before"][2][0]
    assert laws["prediction"]["features"]["energy_w_a"]["auc"]["p_value"] < 0.05
    assert len(law["generalisation"]["steps"]) == 1


def test_laws_under_two_settings_are_compared():
    same, other = keys(seed=1), keys(chances=(0.4, 0.4, 0.3), seed=2)
    stories = [
        replace(lawful_story(swept_over_decay(decay, is_key)), name=f"decay {decay}")
        for decay, is_key in ((0.1, keys()), (0.5, same), (1.0, other))
    ]
    found = compare(members(*stories))
    assert [(p.first, p.second) for p in found.pairs] == [
        ("decay 0.1", "decay 0.5"),
        ("decay 0.1", "decay 1.0"),
        ("decay 0.5", "decay 1.0"),
    ]
    unchanged, changed, again = found.pairs
    assert unchanged.adjusted > 0.05 > changed.adjusted
    assert changed.adjusted >= 2 * changed.test.p_value
    assert changed.differences.adjusted.argmin() == 2
    table = comparison_table(found, {s.name: s.name for s in stories})
    assert [row[-2].text for row in table.rows] == ["not rejected", "no", "no"]
    assert table.rows[1][-1].text.startswith("freq_3 −".replace("−", "-"))
    assert again.by == "optimizer.weight_decay" and again.values == ("0.5", "1.0")


def test_groups_of_equal_degrees_are_compared_by_degree():
    """Both D4's irrep of dimension 2 and Q8's of dimension 4 have degree 2."""
    chances = (0.5, 0.5, 0.5, 0.9)
    one = lawful_story(lawful(keys(100, chances), (1, 1, 1, 2), "D4"))
    other = lawful_story(lawful(keys(100, chances, seed=5), (1, 1, 1, 4), "Q8"))
    types = ("real",) * 4
    one = replace(one, types=(*types, "real"), order=8, name="D4")
    other = replace(other, types=(*types, "quaternionic"), order=8, name="Q8")
    (pair,) = compare(members(one, other)).pairs
    assert (pair.by, pair.values) == ("group", ("D4", "Q8"))
    assert pair.test.p_value > 0.05 and pair.differences is None
    rare = lawful(keys(100, (0.5, 0.5, 0.5, 0.5)), (1, 1, 1, 4), "Q8")
    rare = replace(lawful_story(rare), types=other.types)
    assert compare(members(one, rare)).pairs[0].test.p_value < 0.05
    third = lawful_story(lawful(keys(100, chances), (1, 1, 1, 3), "S4"))
    assert not compare(members(one, replace(third, types=one.types))).pairs


def test_only_so_many_pairs_are_compared(monkeypatch):
    monkeypatch.setattr("repjax.report.comparisons.MOST_COMPARISONS", 2)
    stories = [lawful_story(swept_over_decay(d, keys(20))) for d in (1.0, 2.0, 3.0)]
    found = compare(members(*stories))
    assert (len(found.pairs), found.num_left_out) == (2, 1)
    assert (
        "1 more pairs"
        in comparison_table(
            found,
            {found.pairs[0].first: ""} | {pair.second: "" for pair in found.pairs},
        ).note
    )
    assert MOST_COMPARISONS == 100


def test_the_page_has_the_section_and_the_curves(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "MAX_PANELS_EACH", 0)
    monkeypatch.setattr(gallery, "_cell_plan", lambda story: iter(()))
    stories = [
        replace(lawful_story(swept_over_decay(d, keys(30))), name=f"cell {d}")
        for d in (0.5, 1.0)
    ]
    report = replace(report_of(*stories), comparisons=compare(members(*stories)))
    page = Page(write(report, tmp_path).read_text(encoding="utf-8"))
    headings = [text for text, around in page.texts if "h3" in around]
    assert headings.count("Selection") == 2
    titles = [a["aria-label"] for a in page.all("svg")]
    assert sum("Key sets" in title for title in titles) == 2
    assert any("generalised, by weight decay" in title for title in titles)
    assert any(a.get("id") == "laws" for a in page.all("section"))


def test_multiplicities_of_rivals_count_before_clusters():
    results = lawful(keys(), dims=(1, 2, 3))
    cubes = 2.0 * results.is_key * np.array([1, 1, 8, 27])
    found = select(results, tell(results).courses, rivals={"multiplicity": cubes})
    neurons = found.laws.neurons
    assert neurons.counted == "best irrep"
    assert neurons.allocations["d³"].best == 1
    assert neurons.exponent.value == pytest.approx(3)
