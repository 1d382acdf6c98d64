import io

import pytest
from rich.console import Console

from repjax.report.console import print_table3
from tests.made_up import make_cell, make_results
from tests.report.test_table3 import results_of_paper

C113 = results_of_paper("C113", "mlp")


def printed(results, width=80, **options) -> str:
    console = Console(file=io.StringIO(), width=width, **options)
    print_table3(results, console)
    return console.file.getvalue()


def test_without_colour_words_name_the_papers_lines():
    lines = printed([C113]).splitlines()
    (first,) = (k for k, line in enumerate(lines) if line.startswith(" C113"))
    assert lines[first + 1].split()[:3] == ["paper", "99.53", "99.39"]
    assert lines[first + 2].split() == [
        "corrected",
        "86.99",
        "11.50",
        "4.76",
        "2.24e-6",
    ]
    assert "\x1b" not in "".join(lines)
    assert "dim" not in "".join(lines) and "green" not in "".join(lines)


def test_with_colour_the_legend_names_the_styles():
    text = printed([C113], force_terminal=True, color_system="standard")
    assert "\x1b[1m86.99" in text and "\x1b[2m90.25" in text and "\x1b[32m86.99" in text
    assert "(dim)" in text and "(green)" in text
    assert "\n paper" not in text


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_colours_that_a_person_has_turned_off_are_not_relied_on(monkeypatch, variable):
    monkeypatch.setenv(variable, {"NO_COLOR": "1", "TERM": "dumb"}[variable])
    text = printed([C113], force_terminal=True)
    assert "paper" in text and "corrected" in text and "green" not in text
    assert "\x1b[32m" not in text


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_gets_a_list_and_loses_no_digit(width):
    text = printed([C113, make_results(make_cell("S4"))], width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    whole = " ".join(text.split())
    assert "C113: 2/2 runs generalised" in whole
    assert "Res. 2.24e-6, paper 6.88e-3, corrected 2.24e-6" in whole


def test_what_is_read_aloud_is_a_list(monkeypatch):
    """A dumb terminal, such as Emacspeak's shell: no line needs another one."""
    monkeypatch.setenv("TERM", "dumb")
    lines = printed([C113], force_terminal=True).splitlines()
    assert "  MLP   86.99, paper 90.25, corrected 86.99" in lines


def test_groups_that_the_paper_lacks_have_one_line():
    text = printed([make_results(make_cell("S4"))])
    assert "paper's value" not in text and "–" not in text
