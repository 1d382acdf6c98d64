import csv
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from repjax.groups import build_group
from repjax.reference.paper import paper_group, paper_settings, paper_values
from repjax.report.console import print_table3
from repjax.report.means import (
    COLUMNS,
    DASH,
    build_rows,
    format_value,
    headings,
)
from repjax.report.table3 import BESIDE, csv_table, latex, markdown, write_table3
from repjax.report.tables import table3_tables
from repjax.settings.architectures import ARCHITECTURES
from tests.made_up import make_cell, make_results

PAPER_CELLS = sorted({key[:2] for key in paper_values()})
# The cells that the errata touch: A5, C113 and C118, and the S6 transformer.
WRONG = {
    ("A5", "mlp"): 7,
    ("A5", "transformer"): 6,
    ("C113", "mlp"): 4,
    ("C113", "transformer"): 4,
    ("C118", "mlp"): 4,
    ("C118", "transformer"): 4,
    ("S6", "transformer"): 3,
}


def paper_cell(name, architecture="mlp", group=None, **settings):
    """The cell of one of the paper's groups, perhaps under another name of it."""
    theirs = paper_settings()[name, architecture]
    settings = {key: theirs[key] for key in ("num_steps", "train_fraction")} | settings
    return replace(make_cell(group or name, architecture), **settings)


def results_of_paper(group, architecture, source="exact"):
    """Two runs whose means are the paper's values."""
    values = {
        metric: paper_values()[group, architecture, source, metric]
        for metric in COLUMNS
    }
    spread = {metric: [0.9 * value, 1.1 * value] for metric, value in values.items()}
    return make_results(paper_cell(group, architecture), **spread)


def read_csv(results):
    return list(csv.DictReader(io.StringIO(csv_table(build_rows(results)))))


@pytest.mark.parametrize(("group", "architecture"), PAPER_CELLS)
@pytest.mark.parametrize("source", ["published", "exact"])
def test_the_papers_values_give_the_papers_row(group, architecture, source):
    (row,) = read_csv([results_of_paper(group, architecture, source)])
    compared = [
        (row[name.removesuffix(f"_{source}")], text)
        for name, text in row.items()
        if name.startswith(architecture) and name.endswith(source)
    ]
    assert len(compared) == (8 if architecture == "mlp" else 7)
    for ours, paper in compared:
        assert float(ours) == pytest.approx(float(paper), rel=1e-3)
        assert ours == paper or source == "exact"  # off by less than an erratum


@pytest.mark.parametrize(("group", "architecture"), PAPER_CELLS)
def test_only_what_the_errata_touch_is_corrected(group, architecture):
    (row,) = build_rows([results_of_paper(group, architecture)])
    texts = {
        metric: row.texts(architecture, metric) for metric in headings(architecture)
    }
    corrected = [metric for metric, (*_, exact) in texts.items() if exact]
    assert len(corrected) == WRONG.get((group, architecture), 0)
    assert all(texts[metric][0] == texts[metric][2] for metric in corrected)


def test_row_of_c113_in_the_papers_numbers():
    (row,) = read_csv([results_of_paper("C113", "mlp", "published")])
    ours = [v for k, v in row.items() if re.fullmatch("mlp_.*(percent|loss)", k)]
    assert " ".join(ours) == "99.53 99.39 98.05 90.25 12.03 1.63e-5 5.95 6.88e-3"
    assert row["mlp_fve_mlp_percent_exact"] == "86.99"
    assert row["mlp_restricted_loss_exact"] == "2.24e-6"
    assert row["transformer_test_loss"] == ""
    assert row["transformer_test_loss_published"] == ""  # no run, no settings


GOLDEN_MARKDOWN = """\
| group | MLP runs | MLP W_a | MLP W_b | MLP W_U | MLP MLP | MLP ρ(ab) | MLP Test | \
MLP Exc. | MLP Res. | Transformer runs | Transformer W_E | Transformer W_U | \
Transformer MLP | Transformer ρ(ab) | Transformer Test | Transformer Exc. | \
Transformer Res. |
| C113 | – | – (–) | – (–) | – (–) | – (–) | – (–) | – (–) | – (–) | – (–) | 1/2 | \
25.00 (95.18) | \
25.00 (99.52) | 25.00 (92.12 → 90.80) | 25.00 (16.77 → 16.58) | 3.00e-5 (2.67e-7) | \
2.50e-1 (9.42 → 8.49) | 2.50e-1 (2.12e-2 → 6.26e-7) |
| my_Q8 | 2/2 | 25.00 (–) | 25.00 (–) | 25.00 (–) | 25.00 (–) | 25.00 (–) | 3.00 (–) \
| 2.50e-1 (–) | 2.50e-1 (–) | – | – (–) | – (–) | – (–) | – (–) | – (–) | – (–) | \
– (–) |
"""

GOLDEN_LATEX = r"""
\begin{tabular}{lrrrrrrrrrrrrrrrrr}
\hline
 & \multicolumn{9}{c}{MLP} & \multicolumn{8}{c}{Transformer} \\
 & runs & $W_a$ & $W_b$ & $W_U$ & MLP & $\rho(ab)$ & Test & Exc. & Res. & runs & $W_E$ &
 $W_U$ & MLP & $\rho(ab)$ & Test & Exc. & Res. \\
\hline
 C113 & -- & -- (--) & -- (--) & -- (--) & -- (--) & -- (--) & -- (--) & -- (--) &
 -- (--) & 1/2 & 25.00 (95.18) &
 25.00 (99.52) & 25.00 (92.12 $\to$ 90.80) & 25.00 (16.77 $\to$ 16.58) &
 $3.00 \times 10^{-5}$ ($2.67 \times 10^{-7}$) &
 $2.50 \times 10^{-1}$ (9.42 $\to$ 8.49) &
 $2.50 \times 10^{-1}$ ($2.12 \times 10^{-2}$ $\to$ $6.26 \times 10^{-7}$) \\
 my\_Q8 & 2/2 & 25.00 (--) & 25.00 (--) & 25.00 (--) & 25.00 (--) & 25.00 (--) &
 3.00 (--) & $2.50 \times 10^{-1}$ (--) & $2.50 \times 10^{-1}$ (--) & -- & -- (--) &
 -- (--) & -- (--) & -- (--) & -- (--) & -- (--) & -- (--) \\
\hline
\end{tabular}
"""


def tiny_case():
    cell = paper_cell("C113", "transformer")
    return [
        make_results(make_cell("my_Q8.csv"), test_loss=3.0),
        make_results(cell, test_loss=[2e-5, 4e-5], test_accuracy=[1.0, 0.5]),
    ]


def one_space(text):
    return re.sub(r"\s+", " ", text).strip()


def test_golden_markdown():
    text = markdown(build_rows(tiny_case()))
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert one_space("\n".join(table)) == one_space(GOLDEN_MARKDOWN)
    assert len({len(line) for line in text.splitlines() if line.startswith("|")}) == 1
    assert "including runs that did not generalise" in text


def test_golden_latex():
    text = latex(build_rows(tiny_case()))
    table = [line for line in text.splitlines() if not line.startswith("%")]
    assert one_space("\n".join(table)) == one_space(GOLDEN_LATEX)


def test_bilinear_has_a_table_of_its_own_only_where_present():
    mlp, bilinear = (
        make_results(make_cell("S5", name)) for name in ("mlp", "bilinear")
    )
    assert "ilinear" not in markdown(build_rows([mlp])) + csv_table(build_rows([mlp]))

    rows = build_rows([mlp, bilinear])

    assert len(rows) == 1
    table = markdown(rows).split("\n\n")[-1]
    assert one_space(table).startswith("| group | Bilinear runs | Bilinear W_a |")
    assert "| S5 | 2/2 | 25.00 |" in one_space(table)
    assert latex(rows).count(r"\begin{tabular}") == 2
    (row,) = read_csv([mlp, bilinear])
    assert row["bilinear_fve_w_b_percent"] == "25.00"
    assert "bilinear_fve_w_b_percent_published" not in row


def test_rows_are_groups_in_the_papers_order_then_others():
    names = ("Q8", "A5", "S6", "C113", "D12")
    rows = build_rows(make_results(make_cell(name)) for name in names)
    assert [row.label for row in rows] == ["C113", "S6", "A5", "D12", "Q8"]


def test_a_table_file_of_a_papers_name_stands_apart_and_beside_nothing():
    files = make_results(make_cell("tables/A5.csv"), test_loss=3.0)
    rows = build_rows([files, make_results(paper_cell("A5"), test_loss=1.0)])
    assert [row.from_file for row in rows] == [False, True]
    named, file = (row.texts("mlp", "test_loss") for row in rows)
    assert named[0] == "1.00"
    assert named[1] != "–"
    assert file == ("3.00", "–", "")


def test_the_papers_values_stand_beside_its_groups_by_any_name(tmp_path):
    """A table of A5 in another order, called anything; not C6 under the name A5."""
    group = build_group("A5")
    place = np.random.default_rng(0).permutation(60)
    table = np.empty_like(group.table)
    table[np.ix_(place, place)] = place[group.table]
    np.save(tmp_path / "mine.npy", table)
    np.save(tmp_path / "A5.npy", build_group("C6").table)
    names = ("A5", "PSL(2,5)", "SmallGroup(60,5)", f"{tmp_path}/mine.npy")
    published = {
        build_rows([make_results(paper_cell("A5", group=name))])[0].texts(
            "mlp", "test_loss"
        )[1]
        for name in names
    }
    assert published == {"1.94e-5"}
    (other,) = build_rows([make_results(paper_cell("A5", group=f"{tmp_path}/A5.npy"))])
    assert other.texts("mlp", "test_loss")[1] == "–"
    assert paper_group("D122") is None
    assert paper_group("C59xC2") == "C118"


def test_the_papers_values_stand_beside_runs_with_its_settings_alone():
    """Elsewhere a dash in every layout, and one line with the paper's settings."""
    as_paper = make_results(paper_cell("A5"))
    cell = paper_cell("S5", train_fraction=0.7, num_steps=1000)
    other = make_results(replace(cell, mlp=replace(cell.mlp, embed_dim=64)))
    one_more = make_results(paper_cell("S5", "transformer", num_steps=7))
    results = [as_paper, other, one_more]
    a5, s5 = read_csv([*results, make_results(make_cell("Q8"))])[1::-1]
    assert a5["mlp_fve_mlp_percent_published"] == "86.69"
    beside = [s5[key] for key in s5 if key.endswith(("_published", "_exact"))]
    assert len(beside) == 30 and not any(beside)
    line = (
        "The paper's values are left out where its settings differ: for S5, MLP it has "
        "num_steps 250000, train_fraction 0.4, mlp.embed_dim 256; for S5, Transformer "
        "it has num_steps 50000."
    )
    rows = build_rows(results)
    console = Console(file=io.StringIO(), width=400)
    print_table3(results, console)
    for text in (markdown(rows), latex(rows), console.file.getvalue()):
        assert text.count(line) == 1
        assert "86.69" in text and "88.91" not in text  # of A5, of S5
    a5_page, s5_page = table3_tables(results)[0].rows[::-1]
    assert a5_page[2].note and not any(cell.note for cell in s5_page)
    assert "The paper's" not in markdown(build_rows([as_paper])).split(BESIDE)[1]


def test_what_is_not_of_the_training_keeps_the_papers_values():
    """Seeds, evaluations, checkpoints and precision; AdamW's epsilon does not."""
    cell = paper_cell("A5")
    same = [
        replace(cell, seeds=(77,)),
        replace(cell, matmul_precision="default"),
        replace(cell, evaluation=replace(cell.evaluation, num_evaluations=7)),
        replace(cell, checkpoint=replace(cell.checkpoint, snapshots=True)),
    ]
    for one in same:
        (row,) = build_rows([make_results(one)])
        assert row.texts("mlp", "test_loss")[1] == "1.94e-5"
    (row,) = build_rows(
        [make_results(replace(cell, optimizer=replace(cell.optimizer, eps=1e-7)))]
    )
    assert row.texts("mlp", "test_loss")[1] == DASH


def test_swept_settings_are_never_averaged():
    cell = replace(make_cell(), swept=("train_fraction",))
    cells = [replace(cell, train_fraction=fraction) for fraction in (0.3, 0.5)]
    rows = build_rows(map(make_results, cells))
    labels = [row.label for row in rows]
    assert labels == ["S4, train_fraction 0.3", "S4, train_fraction 0.5"]


def test_each_setting_that_a_sweep_varies_has_a_column():
    """In every layout; no name of a folder is in a table that people read."""
    keys = ("train_fraction", "optimizer.weight_decay")
    cell = replace(make_cell(), swept=keys)
    decays = [replace(cell.optimizer, weight_decay=value) for value in (0.25, 2.0)]
    results = [make_results(replace(cell, optimizer=decay)) for decay in decays]
    rows = build_rows([*results, make_results(make_cell("A5"))])
    table = one_space(markdown(rows))
    assert "| group | train_fraction | weight_decay | MLP runs |" in table
    fraction = str(cell.train_fraction)
    for group, decay in (("S4", "0.25"), ("S4", "2.0"), ("A5", "1.0")):
        start = f"| {group} | {fraction} | {decay} | "
        assert table.count(start) == 1
    tex = one_space(latex(rows))
    assert r"train\_fraction & weight\_decay & runs" in tex
    console = Console(file=io.StringIO(), width=80)
    print_table3([*results, make_results(make_cell("A5"))], console)
    printed = console.file.getvalue()
    assert max(map(len, printed.splitlines())) <= 80 and "weight_decay=" not in printed
    by_group = {
        (row["group"], row["optimizer.weight_decay"])
        for row in read_csv([*results, make_results(make_cell("A5"))])
    }
    assert by_group == {("S4", "0.25"), ("S4", "2.0"), ("A5", "1.0")}


def test_cells_from_several_workdirs_are_pooled_run_by_run():
    one = make_results(make_cell(seeds=(1,)), test_loss=1.0)
    three = make_results(make_cell(seeds=(2, 3, 4)), test_loss=[2.0, 3.0, 6.0])
    (row,) = build_rows([one, three])
    assert row.entries["mlp"].means["test_loss"] == 3.0
    assert row.runs("mlp") == "4/4"
    assert not row.entries["mlp"].mixed


def test_a_mean_of_unlike_cells_has_a_note():
    cell = make_cell()
    longer = replace(make_cell(seeds=(3, 4)), num_steps=7)
    for other in (cell, longer):
        text = markdown(build_rows([make_results(cell), make_results(other)]))
        assert "S4, MLP: the mean is over cells that differ" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.63179e-5, "1.63e-5"),
        (5.94854, "5.95"),
        (291.673, "291.67"),
        (0.0488476, "4.88e-2"),
        (0.9999, "1.00"),
        (1e-12, "1.00e-12"),
        (0.0, "0.00"),
        (np.nan, "nan"),
        (np.inf, "inf"),
    ],
)
def test_losses_are_printed_as_in_the_paper(value, text):
    text_printed = format_value("test_loss", value)
    assert text_printed == text


def test_files_are_written_and_replaced(tmp_path):
    for results in ([], tiny_case()):
        paths = write_table3(results, tmp_path)
        assert [path.name for path in paths] == [
            "table3.csv",
            "table3.md",
            "table3.tex",
        ]
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            p.name for p in paths
        ]
    assert "my_Q8" in paths[1].read_text(encoding="utf-8")


def test_console_tables_fit_a_terminal_of_80_columns():
    results = [results_of_paper(group, name) for group, name in PAPER_CELLS]
    results.append(make_results(make_cell("S5", "bilinear")))
    console = Console(file=io.StringIO(), width=80)
    print_table3(results, console)
    text = console.file.getvalue()
    assert "…" not in text
    for group, architecture in PAPER_CELLS:
        table = text.split("Table 3: ")[1 + list(ARCHITECTURES).index(architecture)]
        assert re.search(rf"^ {group} +2/2 ", table, re.MULTILINE)
    for number in ("99.53", "6.88e-3", "2.24e-6", "291.67", "36.46", "2/2"):
        assert number in text


def test_runs_that_diverged_are_in_no_mean_and_are_named():
    one = make_results(
        trained_steps=[100, 7], test_loss=[0.5, np.nan], test_accuracy=[1.0, np.nan]
    )
    (row,) = rows = build_rows([one])
    assert row.entries["mlp"].means["test_loss"] == 0.5
    assert row.runs("mlp") == "1/2"
    assert "S4, MLP: 1 of 2 runs diverged and are left out." in markdown(rows)

    all_of_them = make_results(trained_steps=7, test_accuracy=np.nan)
    (row,) = build_rows([all_of_them])
    assert np.isnan(row.entries["mlp"].means["test_loss"])
    assert row.runs("mlp") == "0/2"


def test_the_whole_table_has_no_test_loss():
    """A dash in tables, an empty field, and a note; beside others they leave a mean."""
    cell = replace(make_cell(), train_fraction=1.0)
    nothing = {"test_loss": np.nan, "test_accuracy": np.nan}
    whole = make_results(cell, train_accuracy=[1.0, 0.5], **nothing)
    (row,) = rows = build_rows([whole])
    assert row.texts("mlp", "test_loss")[0] == DASH
    assert row.runs("mlp") == "1/2"
    (fields,) = csv.DictReader(io.StringIO(csv_table(rows)))
    assert fields["mlp_test_loss"] == ""
    note = "S4, MLP: runs train on every pair; they have no test loss and count as "
    for text in (markdown(rows), latex(rows)):
        assert note in text and "nan" not in text

    part = make_results(make_cell(seeds=(3, 4)), test_loss=[0.5, 0.7])
    (row,) = rows = build_rows([whole, part])
    assert row.texts("mlp", "test_loss")[0] == "6.00e-1"
    assert row.runs("mlp") == "3/4"
    assert "S4, MLP: some runs train on every pair" in markdown(rows)
    assert "every pair" not in markdown(build_rows([part]))
