"""Build hook of the site: pages and files outside docs/, and the links to them.

Pages keep the links that work in a checkout, such as ../results/README.md; here they
are turned into links of the site. Each room of repjax gets a page of its docstrings.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]

PAGES = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "launch/README.md": "how_to/launch.md",
    "results/README.md": "results.md",
}
"""Page of the repository → page of the site."""

COPIED = ("examples/*.ipynb", "results/report/index.html", "results/report/**/*.svg")
"""Other files that pages may link to, copied under the same name."""

API = {"Train and load": "api", "Sweeps, cells and networks": "trained"}
"""Heading → module of the Python interface."""

LINK = re.compile(r"(?<=\]\()(?!\w+:|#|//)([^)#\s]+)")
"""Target of a relative link or picture, without its anchor."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files that do not live in docs/."""
    found = {name: ROOT / source for source, name in PAGES.items()}
    for pattern in COPIED:
        found |= {str(path.relative_to(ROOT)): path for path in ROOT.glob(pattern)}
    for name, path in sorted(found.items()):
        files.append(File.generated(config, name, abs_src_path=str(path)))
    for room in sorted(path.parent for path in ROOT.glob("repjax/*/__init__.py")):
        name, text = f"reference/{room.name}.md", "\n".join(_reference(room))
        files.append(File.generated(config, name, content=text))
    text = "\n".join(_api())
    files.append(File.generated(config, "reference/api.md", content=text))
    return files


def _api() -> Iterator[str]:
    """Yield the lines of a page on the Python interface."""
    yield "# import repjax\n"
    for title, module in API.items():
        yield f"## {title}\n"
        yield from _docstrings(ROOT / "repjax" / module)


def _reference(room: Path) -> Iterator[str]:
    """Yield the lines of a page with the docstrings of all modules of a room."""
    yield f"# repjax.{room.name}\n"
    yield from _docstrings(room, "members: false")
    for path in sorted(room.rglob("*.py")):
        if not path.stem.startswith("__"):
            inside = ".".join(path.relative_to(room).with_suffix("").parts)
            yield f"## {inside}\n"
            yield from _docstrings(path.with_suffix(""))


def _docstrings(module: Path, *options: str) -> Iterator[str]:
    """Yield the lines that mkdocstrings turns into the docstrings of a module."""
    yield f"::: {'.'.join(module.relative_to(ROOT).parts)}"
    yield "    options:"
    for option in ("show_root_heading: false", "show_root_toc_entry: false", *options):
        yield f"      {option}"
    yield ""


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Turn links between files of the repository into links of the site."""
    here = page.file.src_uri
    source = {name: path for path, name in PAGES.items()}.get(here, f"docs/{here}")

    def rewrite(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        return posixpath.relpath(_on_site(target, source), posixpath.dirname(here))

    return LINK.sub(rewrite, markdown)


def _on_site(target: str, source: str) -> str:
    """Return the place in the site of a file or folder of the repository."""
    if target in PAGES:
        return PAGES[target]
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    if not (ROOT / target).exists():
        raise PluginError(f"{source}: links to {target}, which does not exist")
    if (ROOT / target).is_dir() and target.startswith("results/"):
        return PAGES["results/README.md"]
    return target
