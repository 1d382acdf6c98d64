"""A page of 1,000 runs by keyboard alone, on every width, in light and dark.

axe-core looks at a page of 12 runs: the copy in axe-core-python, or the axe.min.js that
`REPJAX_AXE` names.
"""

import os
from importlib import resources
from pathlib import Path

import pytest

from tests.report.browser import Browser
from tests.report.test_page import write
from tests.told import make_curves, report_of, tell

LOOKS = [(width, look) for width in (400, 1300, 2400) for look in ("light", "dark")]

CONTRAST = """(() => {
  const parse = (text) => {
    const parts = text.match(/-?[\\d.]+/g).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [...parts.slice(0, 3).map((x) => x * scale), parts[3] ?? 1];
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((x) => x / 255).map(
      (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const worst = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("script, [hidden], title")) continue;
    const style = getComputedStyle(element);
    const colour = parse(element.closest("svg") ? style.fill : style.color);
    const [a, b] = [colour, behind(element)].map((c) => luminance(c.slice(0, 3)));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) worst[node.data.trim().slice(0, 30)] = ratio.toFixed(2);
  }
  return worst;
})()"""

SMALL = """[...document.querySelectorAll("button, input, summary, nav a")]
  .map((e) => [e.textContent || e.type, e.getBoundingClientRect()])
  .filter(([, box]) => box.height > 0 && box.height < 24)
  .map(([name, box]) => `${name}: ${box.height}`)"""

FOCUS = "document.activeElement"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    curves = make_curves("S5", num_runs=1000, num_evaluations=8)
    small = make_curves("S4", num_runs=2)
    folder = tmp_path_factory.mktemp("thousand")
    return write(report_of(tell(curves, num_networks=1), tell(small)), folder)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_it_can_be_read_on_every_screen(browser, page, width, scheme):
    browser.open(page, width, scheme)
    browser.run("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert browser.run("matchMedia('(prefers-color-scheme: dark)').matches") is (
        scheme == "dark"
    )
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.run(CONTRAST) == {}
    assert browser.run(SMALL) == []
    assert browser.faults() == []


def test_everything_has_a_name(browser, page):
    browser.open(page)
    browser.run("for (const e of document.querySelectorAll('tr + tr + tr')) e.remove()")
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    seen = {}
    for node in nodes:
        role = node.get("role", {}).get("value")
        if role in ("button", "link", "searchbox", "image", "region", "navigation"):
            name = node.get("name", {}).get("value", "")
            seen.setdefault(role, []).append(name)
    assert {*seen} >= {"button", "link", "searchbox", "image", "region"}
    assert all(name for names in seen.values() for name in names)
    # Fields and tables can be told apart by their names alone.
    assert len({*seen["searchbox"]}) == len(seen["searchbox"])
    assert any("At the end, loss, nats: train" in name for name in seen["image"])


def test_the_first_key_leads_to_the_content(browser, page):
    browser.open(page)
    browser.press("Tab")
    assert browser.run(f"{FOCUS}.textContent") == "Skip to the content"
    browser.press("Enter")
    browser.press("Tab")
    assert browser.run(f"document.querySelector('main').contains({FOCUS})")
    assert browser.run(f"{FOCUS}.matches(':focus-visible')")
    assert browser.run(f"getComputedStyle({FOCUS}).outlineStyle") == "solid"


RUNS = """[...document.querySelectorAll("table")].find(
  (t) => t.caption.textContent.startsWith("Runs") && t.rows.length > 99)"""
SHOWN = f"""[...{RUNS}.tBodies[0].rows]
  .filter((row) => !row.hidden).map((row) => row.cells[0].textContent)"""


def test_a_long_table_is_filtered_and_sorted_by_keys(browser, page):
    browser.open(page)
    field = f"{RUNS}.closest('.scroll').querySelector('input')"
    browser.run(f"{field}.focus()")
    browser.type("freq_2 FREQ_3")
    found = browser.run(SHOWN)
    assert 0 < len(found) < 1000
    said = browser.run(f"{field}.parentElement.querySelector('output').textContent")
    assert said == f"{len(found)} of 1000 rows"
    browser.run(f"{RUNS}.tHead.querySelector('button').focus()")
    browser.press("Enter")
    browser.press("Enter")
    assert browser.run(f"{RUNS}.tHead.rows[0].cells[0].getAttribute('aria-sort')") == (
        "descending"
    )
    assert browser.run(SHOWN) == sorted(found, key=int, reverse=True)
    browser.run(f"{field}.focus()")
    browser.run(f"{field}.select()")
    browser.type("no such irrep")
    assert browser.run(SHOWN) == []


def test_curves_are_read_with_arrow_keys(browser, page):
    browser.open(page)
    browser.run("document.querySelector('details.run').open = true")
    browser.run("document.querySelector('details.run svg[tabindex]').focus()")
    text = "document.getElementById('values').textContent"
    browser.press("ArrowRight")
    last = browser.run(text)
    assert last.startswith("step 4,860: loss")  # the last one
    assert "train  4.0e-6" in last
    for _ in range(5):
        browser.press("ArrowLeft")
    earlier = browser.run(text)
    assert earlier.startswith("step ")
    assert earlier != last
    browser.press("Escape")
    assert browser.run("document.getElementById('values').hidden")


def test_axe_finds_no_serious_fault(browser, tmp_path):
    """Of 12 runs: axe looks at every element of their panels."""
    curves = make_curves("S5", num_runs=12, num_evaluations=8)
    page = write(report_of(tell(curves, num_networks=1)), tmp_path)
    own = resources.files("axe_core_python") / "axe.min.js"
    script = Path(os.environ.get("REPJAX_AXE", str(own))).read_text(encoding="utf-8")
    browser.send("Page.setBypassCSP", enabled=True)
    for width, scheme in ((400, "dark"), (1300, "light")):
        browser.open(page, width, scheme)
        browser.run(f"{script}; true")
        found = browser.run(
            "axe.run().then((r) => r.violations.map((v) => [v.id, v.impact]))"
        )
        assert [fault for fault in found if fault[1] in ("serious", "critical")] == []
