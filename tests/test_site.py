"""The site builds without a warning, and every link in it leads somewhere."""

import os
import posixpath
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from repjax.experiment import carried_names
from repjax.settings.config import Config, rules_of
from tests.report.browser import Browser

REPOSITORY = Path(__file__).resolve().parents[1]
LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src")}
OFFLINE = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
)


class Links(HTMLParser):
    """Ids of a page, its links, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loaded = set(), [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        for name, key in LOADED:
            if tag == name and attributes.get("rel") != "canonical":
                self.loaded += [attributes[key]] if key in attributes else []


def faults(folder: Path) -> list[str]:
    """Links of all pages that lead nowhere, and everything loaded from elsewhere."""
    pages = {
        path.relative_to(folder).as_posix(): Links(path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.html")
    }
    found = []
    for name, page in pages.items():
        loaded = [url for url in page.loaded if urlsplit(url).netloc]
        found += [f"{name}: loads {url}" for url in loaded]
        for url in {*page.links, *page.loaded} - {*loaded}:
            if fault := _fault(url, name, folder, pages):
                found.append(f"{name}: {url} {fault}")
    return found


def _fault(url, name, folder, pages) -> str | None:
    """What is wrong with a link of the page `name`."""
    parts = urlsplit(url)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        well_formed = parts.scheme in ("https", "http") and "." in parts.netloc
        return None if well_formed else "is no address"
    here = posixpath.dirname(name)
    path = posixpath.normpath(posixpath.join(here, unquote(parts.path)))
    target = path if parts.path else name
    if not (folder / target).is_file():
        return "does not exist"
    place = unquote(parts.fragment)
    if place and target in pages and place not in pages[target].ids:
        return "has no such place"
    return None


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = (sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder))
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | OFFLINE | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_every_link_of_the_site_leads_somewhere(site):
    assert len([*site.rglob("*.html")]) > 30
    assert faults(site) == []


def test_every_page_has_one_title_and_is_in_the_menu(site):
    menu = Links((site / "index.html").read_text(encoding="utf-8")).links
    missing = {
        page.relative_to(site).as_posix()
        for page in site.rglob("*.html")
        if "report" not in page.parts[-2]
    } - {posixpath.normpath(urlsplit(link).path) for link in menu}
    assert missing == set()
    for page in site.rglob("*.html"):
        if page.parent.name != "report":
            assert page.read_text(encoding="utf-8").count("<h1") == 1, page


def test_reference_has_the_docstrings_of_every_room(site):
    rooms = {path.parent.name for path in REPOSITORY.glob("repjax/*/__init__.py")}
    others = {"index", "api", "modules", "all_settings", "experiments"}
    pages = {page.stem for page in (site / "reference").glob("*.html")}
    assert pages - others == rooms
    text = (site / "reference" / "groups.html").read_text(encoding="utf-8")
    assert 'id="repjax.groups.names.build_group"' in text
    assert 'id="repjax.groups.group.Factorisation"' in text
    text = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    assert 'id="repjax.settings.config.RunSettings.num_steps"' in text
    text = (site / "reference" / "modules.html").read_text(encoding="utf-8")
    assert 'Every metric is defined in <a href="../metrics.html">Metrics</a>' in text


def test_settings_and_experiments_are_listed(site):
    text = (site / "reference" / "all_settings.html").read_text(encoding="utf-8")
    for key in rules_of(Config):
        assert f"<td><code>{key}</code></td>" in text
    assert "<td>Decoupled, in units of the learning rate</td>" in text
    text = (site / "reference" / "experiments.html").read_text(encoding="utf-8")
    for name in {*carried_names()} - {"base"}:
        assert f'<h2 id="{name}">' in text


def test_every_row_of_a_table_is_in_one(site):
    for page in site.rglob("*.html"):
        assert not re.search(r"<p>\|", page.read_text(encoding="utf-8")), page


def test_search_needs_no_server(site, tmp_path):
    browser = Browser(tmp_path)
    try:
        browser.open(site / "start.html")
        browser.run("document.querySelector('[for=__search]').click()")
        browser.run("document.querySelector('.md-search__input').focus()")
        browser.type("snapshots")
        links = browser.run(
            "new Promise((done) => { let tries = 100; const look = () => {"
            " const input = document.querySelector('.md-search__input');"
            " input.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}));"
            " const links = document.querySelectorAll('.md-search-result__link');"
            " links.length || !tries-- ? done([...links].map((link) => link.href))"
            " : setTimeout(look, 100); }; look(); })"
        )
    finally:
        browser.close()
    assert (site / "sweeps.html").as_uri() in links


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ('<a href="b.html">', "b.html does not exist"),
        ('<a href="#there">', "#there has no such place"),
        ('<a href="http:/x">', "is no address"),
        ('<script src="https://cdn.example.org/a.js">', "loads https://cdn"),
        ('<img src="a.svg">', "a.svg does not exist"),
    ],
)
def test_fault_is_found(tmp_path, page, fault):
    (tmp_path / "a.html").write_text(f'<p id="here"><a href="#here">{page}')
    (found,) = faults(tmp_path)
    assert fault in found
