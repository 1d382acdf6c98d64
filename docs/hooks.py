"""Build hook of the site: pages and files outside docs/, and the links to them.

Pages keep the links that work in a checkout, such as ../results/README.md; here they
are turned into links of the site. Each room of repjax gets a page of its docstrings,
and settings and experiments get pages made from their files.
"""

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from repjax.experiment import CARRIED, carried_names, load_config
from repjax.settings.config import Config, flatten, rules_of

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

SINGLE = ("metrics", "dissection", "rivals", "nulls", "initial", "experiment", "typing")
"""Modules that are in no room, and are used from Python."""

LINK = re.compile(r"(?<=\]\()(?!\w+:|#|//)([^)#\s]+)")
"""Target of a relative link or picture, without its anchor."""

MENTION = re.compile(r"(?:<code>)?docs/(\w+)\.md(?:</code>)?")
"""A page of the site, as docstrings name it."""

SETTING = re.compile(r"config\.([\w.]+) = (?!ConfigDict)[^#]*(?:# (.*))?")
"""A line of experiments/base.py that sets a key, and the comment after it."""


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
    pages = {
        "reference/api.md": _api(),
        "reference/modules.md": _modules(),
        "reference/all_settings.md": _settings(),
        "reference/experiments.md": _experiments(),
    }
    for name, lines in pages.items():
        files.append(File.generated(config, name, content="\n".join(lines)))
    return files


def _api() -> Iterator[str]:
    """Yield the lines of a page on the Python interface."""
    yield "# import repjax\n"
    for title, module in API.items():
        yield f"## {title}\n"
        yield from _docstrings(ROOT / "repjax" / module)


def _modules() -> Iterator[str]:
    """Yield the lines of a page on the modules that are in no room."""
    yield "# Single modules\n"
    for name in SINGLE:
        yield f"## {name}\n"
        yield from _docstrings(ROOT / "repjax" / name)


def _settings() -> Iterator[str]:
    """Yield the lines of a page with every setting, its default and its rule."""
    yield "# Every setting\n"
    yield (
        "`--config.KEY=VALUE` changes a setting on the command line, "
        "`config.KEY = VALUE` in an experiment, and "
        '`overrides={"KEY": VALUE}` in Python. The defaults are '
        "those of `base`; [experiments](experiments.md) change some of them. "
        "[Sweep settings](../how_to/sweep.md) has examples.\n"
    )
    yield '<div class="settings" markdown>\n'
    yield "| key | default | allowed | meaning |"
    yield "|---|---|---|---|"
    defaults, meanings = flatten(load_config("base").to_dict()), _meanings()
    rules = rules_of(Config)
    assert meanings.keys() == rules.keys(), "experiments/base.py lacks a comment"
    for key, meaning in meanings.items():
        default = defaults[key]
        if isinstance(default, tuple):
            default = ",".join(map(str, default)) or "()"
        cells = (f"`{key}`", f"`{default}`", rules[key].allowed, meaning)
        yield f"| {' | '.join(cells)} |"
    yield "\n</div>"


def _meanings() -> dict[str, str]:
    """Return key → comments that experiments/base.py has above and after it.

    A comment above a blank line or above a section is a heading, not a meaning.
    """
    found, above = {}, []
    for line in map(str.strip, (CARRIED / "base.py").read_text().splitlines()):
        key = SETTING.fullmatch(line)
        if key:
            text = " ".join([*above, *filter(None, [key[2]])])
            found[key[1]] = text[:1].upper() + text[1:]
        above = [*above, line.removeprefix("# ")] if line.startswith("#") else []
    return found


def _experiments() -> Iterator[str]:
    """Yield the lines of a page with the docstring of every experiment."""
    yield "# Experiments\n"
    yield (
        "`--config=NAME` takes one of these. Each is a file that changes some of the "
        "[default settings](all_settings.md). Times are for the machine that they "
        "name; `--dry_run` estimates them for yours.\n"
    )
    for name in sorted({*carried_names()} - {"base"}):
        module = ast.parse((CARRIED / f"{name}.py").read_text(encoding="utf-8"))
        yield f"## {name}\n"
        docstring = ast.get_docstring(module) or ""
        docstring = re.sub(r"^(Command): (.*)$", r"\1: `\2`", docstring, flags=re.M)
        yield re.sub(r"^(?=Command:|Cost:|Result:)", "\n", docstring, flags=re.M)
        yield ""


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


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn pages that docstrings name, such as docs/metrics.md, into links."""
    here = page.file.src_uri
    if not here.startswith("reference/"):
        return html

    def link(mention: re.Match[str]) -> str:
        file = files.get_file_from_path(f"{mention[1]}.md")
        if file is None:
            return mention[0]
        title = (ROOT / "docs" / file.src_uri).read_text(encoding="utf-8")
        url = posixpath.relpath(file.url, posixpath.dirname(page.file.url))
        return f'<a href="{url}">{title.splitlines()[0].removeprefix("# ")}</a>'

    return MENTION.sub(link, html)


def on_post_build(config: MkDocsConfig) -> None:
    """Leave out the page for wrong addresses: its links need the root of a server."""
    Path(config.site_dir, "404.html").unlink(missing_ok=True)


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
