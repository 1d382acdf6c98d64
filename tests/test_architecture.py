"""Imports point one way, and what belongs in one file stands in that file alone."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
MAX_LINES = 400

# Part of repjax (a module, or a package with all of its modules) → what it may import.
# A new part starts with a row here: say where it stands before writing it.
MAY_IMPORT = {
    "__init__": "",
    # Settings, files and names: known to many, knowing nobody.
    "rules": "",
    "files": "rules",
    "metrics": "",
    "architectures": "rules",
    "config": "architectures rules",
    # The core, one run at a time. `typing` names jax's Array, `groups` must not.
    "typing": "",
    "hosts": "",
    "limits": "",
    "backend": "limits rules",
    "groups": "",
    "data": "typing groups",
    "models": "typing groups data config rules",
    "losses": "typing groups data models",
    "optim": "typing config",
    "state": "typing groups data models losses optim",
    "blocks": "typing",
    "step": "typing groups data models losses optim state config blocks",
    "analysis": "typing groups data models losses metrics",
    # All runs of a cell, and the host.
    "plan": "architectures config groups rules sweep data analysis",
    "forecast": "config groups plan rounds sweep",
    "placement": "limits config data groups plan",
    "ensemble": "hosts limits typing groups data models losses optim state blocks step"
    " analysis plan placement config metrics backend",
    "parts": "config ensemble placement state",
    "programs": "config ensemble parts placement groups",
    "checkpoint": "hosts files",
    "lease": "",
    "lock": "files lease rules",
    "results": "config rules files metrics",
    "progress": "config files metrics results",
    "rounds": "config files groups rules",
    "snapshots": "files rounds rules",
    "saved": "groups analysis state ensemble parts placement programs checkpoint config"
    " metrics results rounds snapshots",
    "train": "hosts typing groups data models losses optim state step analysis plan"
    " ensemble parts placement programs checkpoint lease lock config rules files"
    " metrics results rounds saved snapshots progress",
    "manifest": "backend config files rules placement",
    "sweep": "architectures config rules groups data",
    "workdirs": "config rules files groups data rounds sweep",
    "reference": "config rules groups",
    # From the command line to files, from files to pages.
    "output": "",
    "command_line": "config files output rules",
    "report": "architectures reference command_line config rules files metrics groups"
    " results",
    # From checkpoints to what a report tells of single networks.
    "dissection": "groups analysis models state parts rounds saved metrics results"
    " report",
}
# Programs: each may import every part above, none may be imported.
PROGRAMS = ("main", "table3", "published", "export", "report.__main__")
MAY_IMPORT |= dict.fromkeys(PROGRAMS, " ".join(MAY_IMPORT))

# Exact or plain Python: fast to import, testable to the last digit.
WITHOUT_JAX = (
    "rules files limits metrics architectures config groups results progress report"
    " reference command_line"
)
JAX = {"jax", "jaxlib", "flax", "optax", "orbax", "chex"}
# After training the runs of a cell are rows of a table, no axis of a program.
TABLES_OF_RUNS = "results progress report"
SETTINGS = ("config", "cell", "settings", "flags")

ONLY_IN = {
    "vmap": "ensemble",
    "shard_map": "ensemble",
    "Mesh": "ensemble",
    "make_mesh": "ensemble",
    "NamedSharding": "ensemble",
    "PartitionSpec": "ensemble",
    "pmap": None,
}

SOURCES = sorted((REPOSITORY / "repjax").rglob("*.py"))
EXPERIMENTS = sorted((REPOSITORY / "experiments").rglob("*.py"))
FOLDERS = ("repjax", "experiments", "tests", "benchmarks", "launch", "docs")
ALL = sorted(file for name in FOLDERS for file in (REPOSITORY / name).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def part_of(path: Path) -> str:
    """The module or package; the program of a package is a part of its own."""
    name, *inside = path.relative_to(REPOSITORY / "repjax").parts
    if inside == ["__main__.py"]:
        return f"{name}.__main__"
    return name.removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def wrong_arrows(part: str, tree: ast.AST) -> Iterator[str]:
    allowed = {part, *MAY_IMPORT[part].split()}
    for line, name in imports(tree):
        package, *inside = name.split(".")
        if package == "":
            yield f"{line}: relative import; write `from repjax.{part} import …`"
        elif package == "experiments":
            yield f"{line}: imports experiments, which are the user's"
        elif package == "repjax" and inside and inside[0] != "__version__":
            if inside[0] not in allowed:
                yield f"{line}: {part} must not import {inside[0]}"
        elif package == "orbax" and part != "checkpoint":
            yield f"{line}: only checkpoint imports orbax"
        elif package in JAX and part in WITHOUT_JAX.split():
            yield f"{line}: {part} works without {package}"
        elif name == "__future__.annotations":
            yield f"{line}: jaxtyping checks no signature that is a string"


def misplaced_names(part: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                pass
            case ast.alias(name=name):
                name = name.rpartition(".")[2]
            case _:
                continue
        if name in ONLY_IN and part != ONLY_IN[name]:
            yield f"{node.lineno}: {name} belongs in {ONLY_IN[name] or 'no file'}"


def run_axes(part: str, tree: ast.AST) -> Iterator[str]:
    """Annotations such as Float[Array, "run pair"] where one run is all there is."""
    if part in ("ensemble", *TABLES_OF_RUNS.split()):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(
                slice=ast.Tuple(elts=[_, ast.Constant(value=str(axes))])
            ):
                if "run" in axes.split():
                    yield f"{node.lineno}: a run axis outside ensemble: {axes!r}"


def defaults_of_settings(tree: ast.AST) -> Iterator[str]:
    """`config.get(key, default)`: a typing mistake in the key would pass unseen."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=of, attr="get"), args=[_, _]):
                pass
            case ast.Call(func=ast.Name(id="getattr"), args=[of, _, _]):
                pass
            case _:
                continue
        if any(word in ast.unparse(of).lower() for word in SETTINGS):
            yield f"{node.lineno}: a default for a setting: {ast.unparse(node)}"


def faults(part: str, source: str) -> list[str]:
    tree = ast.parse(source)
    return [
        *wrong_arrows(part, tree),
        *misplaced_names(part, tree),
        *run_axes(part, tree),
        *defaults_of_settings(tree),
    ]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_module_keeps_to_its_place(path):
    part = part_of(path)
    assert part in MAY_IMPORT, (
        f"{part} has no row in MAY_IMPORT: say what it may import"
    )
    assert faults(part, path.read_text()) == []


@pytest.mark.parametrize("path", EXPERIMENTS, ids=name_of)
def test_experiment_is_data_only(path):
    tree = ast.parse(path.read_text())
    packages = {name.split(".")[0] for _, name in imports(tree)}
    assert packages - sys.stdlib_module_names <= {"experiments", "ml_collections"}
    assert [*defaults_of_settings(tree)] == []


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_file_can_be_read_in_one_sitting(path):
    assert path.name != "utils.py", "name the noun that is in it"
    num_lines = len(path.read_text().splitlines())
    assert num_lines <= MAX_LINES


def test_table_of_imports_has_no_cycle():
    graph = {part: row.split() for part, row in MAY_IMPORT.items()}
    order = [*TopologicalSorter(graph).static_order()]
    assert set(order) == set(MAY_IMPORT)


@pytest.mark.parametrize("module", ["repjax.groups", "repjax.results", "repjax.plan"])
def test_module_does_not_load_jax(module):
    """Not even by way of another package."""
    code = f"import sys, {module}; sys.exit('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("part", "source", "fault"),
    [
        ("losses", "from repjax.train import train_cell", "must not import train"),
        ("losses", "from repjax import step", "must not import step"),
        ("data", "def f():\n    import repjax.models.mlp", "must not import models"),
        ("train", "from repjax import main", "must not import main"),
        ("groups", "from .group import Group", "relative import"),
        ("groups", "import jax.numpy as jnp", "works without jax"),
        ("report", "from repjax.ensemble import Ensemble", "must not import ensemble"),
        ("report", "from repjax import dissection", "must not import dissection"),
        ("train", "import orbax.checkpoint as ocp", "only checkpoint"),
        ("sweep", "from experiments import base", "which are the user's"),
        ("step", "from __future__ import annotations", "a string"),
        ("analysis", "y = jax.vmap(f)(x)", "vmap belongs in ensemble"),
        ("train", "from jax.sharding import Mesh as M", "Mesh belongs in ensemble"),
        ("ensemble", "jax.pmap(f)", "pmap belongs in no file"),
        ("step", "def f(x: Float[Array, 'run pair']): ...", "run axis"),
        ("train", "cell.config.get('num_steps', 10)", "default for a setting"),
        ("train", "getattr(config, 'num_steps', 10)", "default for a setting"),
    ],
)
def test_fault_is_found(part, source, fault):
    (found,) = faults(part, source)
    assert fault in found


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("train", "from repjax.ensemble import Ensemble"),
        ("manifest", "from repjax import __version__"),
        ("checkpoint", "import orbax.checkpoint as ocp"),
        ("ensemble", "jax.shard_map(jax.vmap(f), mesh=Mesh(devices, ('run',)))"),
        ("results", "def f(x: Float[np.ndarray, 'run evaluation']): ..."),
        ("config", "stored.get(key), os.environ.get('HOME', '')"),
    ],
)
def test_what_is_right_passes(part, source):
    assert faults(part, source) == []
