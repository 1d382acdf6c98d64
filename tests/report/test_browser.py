"""The page in a real browser: it loads, sorts, opens a run, tells values, no errors.

Chromium without a window runs a script that is appended to the page, and prints what
the page has become.
"""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from tests.report.test_page import EVIL, write
from tests.told import make_curves, report_of, tell

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

SCRIPT = """<script>
addEventListener("load", () => setTimeout(() => {
  const text = (row, column) => row.cells[column].textContent;
  const found = {};
  const headingOf = (name, column) => [...document.querySelectorAll("table")]
    .find((table) => table.caption.textContent.startsWith(name))
    .tHead.rows[0].cells[column];
  const rowsBelow = (heading) => [...heading.closest("table").tBodies[0].rows];

  const seed = headingOf("Runs", 0), train = headingOf("Runs", 4);
  for (const [name, heading] of [["seed", seed], ["train", train]]) {
    found[name] = [];
    for (let click = 0; click < 2; click++) {
      heading.querySelector("button").click();
      const rows = rowsBelow(heading).map((row) => row.cells[heading.cellIndex]);
      const values = rows.map((cell) => Number(cell.dataset.value));
      found[name].push([heading.getAttribute("aria-sort"), values]);
    }
  }
  found.sorted = seed.getAttribute("aria-sort");

  const links = [...document.querySelectorAll('table a[href^="#"]')];
  const panel = document.getElementById(links.at(-1).hash.slice(1));
  found.before = panel.open;
  links.at(-1).click();
  setTimeout(() => {
    found.after = panel.open;
    const axes = panel.querySelector("[data-x]");
    const svg = axes.closest("svg");
    svg.scrollIntoView();
    const frame = svg.getBoundingClientRect();
    const [top, bottom] = axes.dataset.box.split(" ").map(Number);
    const [, start, end] = axes.dataset.x.split(" ").map(Number);
    const scale = frame.width / svg.viewBox.baseVal.width;
    svg.dispatchEvent(new PointerEvent("pointermove", {
      bubbles: true,
      clientX: frame.left + scale * (start + end) / 2,
      clientY: frame.top + scale * (top + bottom) / 2,
    }));
    found.hover = document.getElementById("values").textContent;
    const regions = [...document.querySelectorAll(".scroll")];
    found.cut = regions.filter((region) => region.scrollWidth > region.clientWidth)
      .map((region) => region.getAttribute("aria-label"));
    found.filters = [...document.querySelectorAll(".scroll input")]
      .map((field) => field.closest(".scroll").querySelector("caption"))
      .map((caption) => caption.firstChild.data.trim());
    found.wide = document.documentElement.scrollWidth > innerWidth;
    found.injected = window.injected === true;
    document.title = JSON.stringify(found);
    document.documentElement.replaceChildren(document.head);
  }, 100);
}));
</script>"""


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    """What the script found on the page, in a window of some width."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser: looked for {', '.join(BROWSERS)}")
    folder = tmp_path_factory.mktemp("browser")
    hostile = make_curves(f"<img src=x onerror=injected=true>{EVIL}.csv", num_runs=1)
    curves = make_curves("S5", num_runs=12)
    curves.metrics["train_loss"][:, -1] = [3, 1e-6, 20, 1e-10, *range(100, 108)]
    page = write(report_of(tell(curves, num_networks=1), tell(hostile)), folder)
    text = page.read_text(encoding="utf-8").replace("</body>", SCRIPT + "</body>")
    page.write_text(text, encoding="utf-8")

    def look(width):
        command = (
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--log-level=0",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900",
            "--virtual-time-budget=10000",
            "--dump-dom",
            page.as_uri(),
        )
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert "CONSOLE" not in done.stderr
        title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
        return json.loads(unescape(title[1]))

    return look


@pytest.mark.parametrize("width", [500, 1300])
def test_page_loads_sorts_and_opens_a_run(visit, width):
    found = visit(width)
    assert not found["injected"]
    for column in ("seed", "train"):
        (up, rising), (down, falling) = found[column]
        assert (up, down) == ("ascending", "descending")
        assert rising == sorted(rising)
        assert falling == rising[::-1]
    # Sorted by the other column since: only that one says so.
    assert found["sorted"] is None
    assert len(found["train"][0][1]) == 12
    assert (found["before"], found["after"]) == (False, True)
    assert found["hover"].startswith("step ")
    assert "train  " in found["hover"]
    assert found["filters"] == ["Runs"]  # each within the region of its table
    if width == 1300:
        assert not [label for label in found["cut"] if "<img" not in label]
    assert not found["wide"]  # nothing but tables scrolls sideways
