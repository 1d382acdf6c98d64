"""The page: complete, escaped, accessible, and small enough for all of Table 3."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import pytest

from repjax.groups.library import small_groups
from repjax.report.figures import picture
from repjax.report.figures.gallery import write_figures
from repjax.report.figures.periodic import periodic_table
from repjax.report.page import write_page
from repjax.report.run_tables import fact_list, irrep_tables, phase_note
from repjax.report.tables import decimal
from repjax.statistics.phases import NO_PAST, Phase
from tests.told import make_curves, report_of, tell, without_past

EVIL = "<script>alert(1)<"  # its name has no slash, which would be a folder
MANIFEST = {"note": "</pre><script>alert(2)</script>", "cells": {"S4_mlp": 2}}
VOID = {"meta", "link", "br", "img", "input", "path", "rect", "use", "image", "hr"}


class Page(HTMLParser):
    """Elements as (tag, attributes, tags around it), texts, and whether tags match."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), tuple(self.open)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((data, tuple(self.open)))

    def all(self, tag):
        return [attributes for name, attributes, _ in self.elements if name == tag]

    def text(self, tag):
        return ["".join(t for t, around in self.texts if tag in around)]


def write(report, directory):
    """The page without the PDFs, which take twice as long as the rest."""
    render = picture._render
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            picture, "_render", lambda f, end: render(f, end) if end == "svg" else b""
        )
        return write_page(report, write_figures(report, directory), directory)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def text(folder):
    """Three cells: an ordinary one, one that was imported, and a hostile one."""
    out = folder
    imported = replace(without_past(make_curves("C7")), steps=make_curves().steps)
    hostile = make_curves(f"{EVIL}.csv", num_runs=1)
    hostile = replace(hostile, irreps=("trivial", "<b>x</b>", *hostile.irreps[2:]))
    report = report_of(
        tell(make_curves("S5"), num_networks=1),
        tell(imported),
        tell(hostile),
        manifests={"<i>dir</i>": MANIFEST},
    )
    path = write(report, out)
    assert path == out / "index.html"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_tags_match_and_ids_are_unique(page):
    assert page.open == []
    ids = [a["id"] for _, a, _ in page.elements if "id" in a]
    assert len(set(ids)) == len(ids)


def test_every_link_leads_to_something_on_the_page(page):
    ids = {a["id"] for _, a, _ in page.elements if "id" in a}
    links = [a["href"] for a in page.all("a") if "download" not in a]
    assert len(links) > 8
    assert {link[0] for link in links} == {"#"}
    assert {link[1:] for link in links} <= ids
    assert {"S5_mlp-seed-1", "S5_mlp-seed-2", "C7_mlp-seed-1"} <= {x[1:] for x in links}


def test_every_figure_has_its_data_beside_the_page(page, folder):
    links = [a for a in page.all("a") if "download" in a]
    assert len(links) == len(page.all("figure")) + 1  # and the periodic table
    for link in links:
        assert link["aria-label"].endswith(": data as CSV")
        first, *rows = (folder / unquote(link["href"])).read_text().splitlines()
        assert first.startswith(("panel,series,", "order,group,"))
        assert rows


def test_text_is_never_markup(page, text):
    assert len(page.all("script")) == 1
    assert page.all("b") == page.all("i") == []
    assert "alert(2)" in text
    assert any(EVIL in data for data, around in page.texts if "h2" in around)
    assert any("<b>x</b>" in data for data, around in page.texts if "th" in around)
    assert not any(name.startswith("on") for _, a, _ in page.elements for name in a)


def test_nothing_is_loaded_from_anywhere(page, text):
    for tag, attributes, _ in page.elements:
        if "download" in attributes:
            assert re.fullmatch(r"figures/[^:?#]+\.csv", attributes["href"])
            continue
        for name in ("src", "href", "xlink:href", "data", "poster", "action"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:")), (tag, name, value)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert not {"iframe", "object", "embed"} & {tag for tag, _, _ in page.elements}
    (policy,) = [a for a in page.all("meta") if "http-equiv" in a]
    assert policy["content"].startswith("default-src 'none'")


def test_it_works_on_a_phone_and_in_the_dark(page, text):
    (viewport,) = [a for a in page.all("meta") if a.get("name") == "viewport"]
    assert viewport["content"] == "width=device-width, initial-scale=1"
    assert "@media (prefers-color-scheme: dark)" in text
    around_tables = [around for tag, _, around in page.elements if tag == "table"]
    assert around_tables
    assert {around[-1] for around in around_tables} == {"div"}  # each scrolls alone
    for tag, attributes, around in page.elements:
        if "svg" in around:
            style = attributes.get("style", "")
            assert "#" not in style.replace("url(#", ""), (tag, style)


def test_it_can_be_read_by_a_screen_reader_and_by_keyboard(page):
    tags = [tag for tag, _, _ in page.elements]
    assert page.all("html") == [{"lang": "en"}]
    for landmark in ("header", "nav", "main", "footer"):
        assert tags.count(landmark) == 1
    first = next(a for tag, a, around in page.elements if tag == "a")
    assert first == {"class": "skip", "href": "#main"}
    levels = [int(tag[1]) for tag in tags if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert tags.count("caption") == tags.count("table") > 10
    assert {a.get("scope") for a in page.all("th")} == {"col", "row"}
    for attributes in page.all("svg"):
        assert attributes["role"] == "img"
        assert ": " in attributes["aria-label"]
    assert tags.count("figcaption") == tags.count("figure") == tags.count("svg") > 15
    scrolled = [a for a in page.all("div") if a.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolled)


def test_tables_sort_by_numbers_and_not_by_their_text(page):
    values = [a["data-value"] for a in page.all("td") if "data-value" in a]
    assert len(values) > 100
    assert all(isinstance(float(value), float) for value in values)


def test_every_run_says_what_became_of_it(page, text):
    panels = [a for a in page.all("details") if a.get("class") == "run"]
    assert len(panels) == 5
    assert "their training was not measured" in text
    assert text.count("There are no training curves") == 2
    assert "Circuit formation" in text
    assert "with W_U in key space alone" in text


def test_of_an_imported_run_no_step_is_told():
    story = tell(without_past(make_curves("C7")))
    assert ("Memorised at step", "–") in fact_list(story, 0)
    assert dict(fact_list(story, 0))["Key irreps, by similarity"] == "freq_1, freq_2"
    explained, *_ = irrep_tables(story, 0)
    assert {row[2].text for row in explained.rows} == {"–"}
    known, *_ = irrep_tables(tell(make_curves("C7")), 0)
    assert [row[2].text for row in known.rows][-1] == "–"
    assert known.rows[0][2].value < known.rows[1][2].value


def test_a_phase_that_contradicts_a_milestone_is_explained():
    """Memorisation ends where excluded loss is lowest, whatever the accuracy is."""
    (course, _) = tell(make_curves("S5")).courses
    early = replace(course, memorised=284, memorisation=Phase(0, 130))
    assert phase_note(early) == (
        "The phase of memorisation ends at step 130, where excluded loss is lowest; "
        "train accuracy reaches 0.99 only at step 284."
    )
    for other in (
        replace(early, memorisation=Phase(0, 284)),
        replace(early, memorisation=None),
        NO_PAST,
    ):
        assert phase_note(other) == ""


def test_words_of_the_page_fit_what_is_on_it(text):
    """One mark after a question, one rounding, no file that a reader may not have."""
    assert "?.<" not in text and "docs/" not in text
    assert not re.search(r">step [\d,]+\.\d", text)
    assert re.search(r'<dd class="short">\d\.\d\de-\d</dd>', text)


def test_table_3_is_beside_the_papers_values_only_where_these_are(text, tmp_path):
    for page, beside in (
        (text, True),
        (write(report_of(tell(make_curves("S4"))), tmp_path).read_text(), False),
    ):
        assert ("Table 3, beside the paper&#39;s values</h2>" in page) == beside
        assert ('<h2 id="table3-title">Table 3</h2>' in page) != beside
        assert ("In small print below" in page) == beside


def test_a_similarity_of_nothing_has_no_sign():
    assert decimal(-1e-9).text == "0.000"
    assert decimal(-0.25).text == "-0.250"


def test_the_whole_of_table_3_stays_below_10_megabytes(tmp_path):
    """14 times a cell of 4 runs, with curves too rough to be made any smaller."""
    results = make_curves(
        "C113", num_runs=1, num_irreps=57, num_key=10, num_evaluations=100, noise=0.01
    )
    story = tell(results, num_networks=1, order=113)
    text = write(report_of(story), tmp_path).read_text(encoding="utf-8")
    panel = text[text.index('<details class="run"') : text.index("<h3>Config</h3>")]
    assert len(panel) > 40_000
    assert 14 * (len(text) + 3 * len(panel)) < 10e6


def test_periodic_table_of_hundreds_of_groups_stays_small(tmp_path):
    """All 249 groups of order 2 to 48: by order, each with its structure."""
    stories = [
        tell(
            make_curves(
                entry.name, num_runs=1, num_irreps=2 + order // 3, num_evaluations=3
            ),
            order=order,
        )
        for order, entries in small_groups().items()
        for entry in entries
        if 2 <= order <= 48
    ]
    assert len(stories) == 249
    report = report_of(*stories)
    assert periodic_table(report.squares) is None, "no figure of metres"
    page = write(report, tmp_path)
    assert page.stat().st_size < 3e6
    text = page.read_text()
    for expected in ("Order 36 ", "SmallGroup(48,52)", "SL(2,3)", "Find a group"):
        assert expected in text
