"""Imports point one way, and what belongs in one file stands in that file alone."""

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
MAX_LINES = 400

# Room of repjax (a folder, or a module beside them) → the rooms that it may import.
# A new room starts with a row here: say where it stands before furnishing it.
MAY_IMPORT = {
    "__init__": "api settings",
    "metrics": "",
    "typing": "",
    # What is trained, one run at a time. `typing` names jax's Array, `groups` must not.
    "groups": "",
    "tasks": "typing groups",
    "settings": "groups tasks",
    "models": "typing groups tasks settings",
    "training": "typing tasks settings models",
    "analysis": "typing metrics groups tasks models training",
    "explanations": "typing metrics groups tasks models training analysis",
    # Many runs on devices, and what they leave behind.
    "storage": "metrics groups settings",
    "extras": "settings",
    "engine": (
        "typing metrics groups tasks settings models training analysis storage extras"
    ),
    # Numbers of many runs, and how they are told.
    "statistics": "metrics storage",
    "reference": "groups settings",
    "experiment": "groups settings",
    "output": "",
    "command_line": "experiment output settings storage",
    "report": "metrics groups settings storage statistics reference command_line",
    "dataset": "metrics groups settings storage statistics report",
    # One call trains a sweep and writes its tables.
    "sweep": "settings storage engine report",
    # From checkpoints to what a report tells of single networks.
    "dissection": (
        "metrics groups settings models training analysis storage engine report"
    ),
    "nulls": "typing metrics analysis explanations storage engine dissection",
    "rivals": "typing metrics groups models analysis explanations dissection nulls",
    "initial": "typing settings models training analysis storage engine dissection",
    # For notebooks and scripts.
    "trained": "extras groups metrics settings storage engine report dissection",
    "api": "experiment command_line settings storage engine sweep dissection trained",
}
# Programs: each may import every room above, none may be imported.
PROGRAMS = (
    "__main__", "main", "table3", "published", "export", "groups.__main__",
    "report.__main__", "dataset.__main__",
)  # fmt: skip
MAY_IMPORT |= dict.fromkeys(PROGRAMS, " ".join(MAY_IMPORT))

# Exact or plain Python: fast to import, testable to the last digit.
WITHOUT_JAX = [
    "groups",
    "settings",
    "statistics",
    "reference",
    "report",
    "dataset",
    "experiment",
    "command_line",
    "output",
    "metrics",
    "storage.files",
    "storage.lease",
    "storage.lock",
    "storage.results",
    "storage.rounds",
    "storage.snapshots",
    "storage.tensors",
    "storage.workdirs",
    "engine.limits",
    "engine.plan",
    "engine.forecast",
    "engine.costs",
    "engine.progress",
    "engine.schedule",
]
JAX = {"jax", "jaxlib", "flax", "optax", "orbax", "chex"}
# After training the runs of a cell are rows of a table, no axis of a program.
TABLES_OF_RUNS = (
    "storage.results", "engine.progress", "report", "statistics", "dataset",
)  # fmt: skip
SETTINGS = ("config", "cell", "settings", "flags")

ONLY_IN = {
    "vmap": "engine.turns",
    "shard_map": "engine.ensemble",
    "Mesh": "engine.ensemble",
    "make_mesh": "engine.ensemble",
    "NamedSharding": "engine.ensemble",
    "PartitionSpec": "engine.ensemble",
    "pmap": None,
}

SOURCES = sorted((REPOSITORY / "repjax").rglob("*.py"))
EXPERIMENTS = sorted((REPOSITORY / "experiments").rglob("*.py"))
FOLDERS = ("repjax", "experiments", "tests", "benchmarks", "launch", "docs")
ALL = sorted(file for name in FOLDERS for file in (REPOSITORY / name).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def part_of(path: Path) -> str:
    """The dotted name within repjax: of a module, `room.module` where it has a room."""
    return ".".join(path.relative_to(REPOSITORY / "repjax").with_suffix("").parts)


def room_of(part: str) -> str:
    """The folder of a module, or itself; the program of a folder is its own room."""
    return part if part in MAY_IMPORT else part.partition(".")[0]


def is_one_of(part: str, parts: Collection[str]) -> bool:
    """Whether these name the module or its room."""
    return part in parts or room_of(part) in parts


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def wrong_arrows(part: str, tree: ast.AST) -> Iterator[str]:
    room = room_of(part)
    allowed = {room, *MAY_IMPORT[room].split()}
    for line, name in imports(tree):
        package, *inside = name.split(".")
        if package == "":
            yield f"{line}: relative import; write `from repjax.{room} import …`"
        elif package == "experiments":
            yield f"{line}: imports experiments, which are the user's"
        elif package == "repjax" and inside and inside[0] != "__version__":
            if inside[0] not in allowed:
                yield f"{line}: {room} must not import {inside[0]}"
        elif package == "orbax" and part != "storage.checkpoint":
            yield f"{line}: only checkpoint imports orbax"
        elif package in JAX and is_one_of(part, WITHOUT_JAX):
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
    if is_one_of(part, ("engine.ensemble", *TABLES_OF_RUNS)):
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
    assert room_of(part) in MAY_IMPORT, (
        f"{room_of(part)} has no row in MAY_IMPORT: say what it may import"
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


def test_modules_of_a_room_have_no_cycle_either():
    modules = {part_of(path): path for path in SOURCES}

    def imported(path: Path) -> Iterator[str]:
        for _, dotted in imports(ast.parse(path.read_text())):
            name = dotted.removeprefix("repjax.")
            yield from (name, name.rpartition(".")[0])

    graph = {
        part: {name for name in imported(path) if name in modules and name != part}
        for part, path in modules.items()
    }
    assert len([*TopologicalSorter(graph).static_order()]) == len(modules)


def test_every_room_says_what_lives_in_it():
    for path in SOURCES:
        if path.name == "__init__.py" and path.parent.name != "repjax":
            doc = ast.get_docstring(ast.parse(path.read_text()))
            assert doc and len(doc) > 60, name_of(path)


WITHOUT_LOADING_JAX = ["groups", "storage.results", "engine.plan", "storage.rounds"]


@pytest.mark.parametrize("module", WITHOUT_LOADING_JAX)
def test_module_does_not_load_jax(module):
    """Not even by way of another package."""
    code = f"import sys, repjax.{module}; sys.exit('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("part", "source", "fault"),
    [
        (
            "training.losses",
            "from repjax.engine.train import train_sweep",
            "must not import engine",
        ),
        ("tasks.pairs", "def f():\n    import repjax.models.mlp", "not import models"),
        ("engine.train", "from repjax import main", "must not import main"),
        ("groups.group", "from .group import Group", "relative import"),
        ("groups.group", "import jax.numpy as jnp", "works without jax"),
        ("engine.plan", "import jax", "works without jax"),
        ("report.page", "from repjax.engine.train import x", "must not import engine"),
        ("report.page", "from repjax import dissection", "not import dissection"),
        ("engine.train", "import orbax.checkpoint as ocp", "only checkpoint"),
        ("settings.sweep", "from experiments import base", "which are the user's"),
        ("training.step", "from __future__ import annotations", "a string"),
        ("analysis.passes", "y = jax.vmap(f)(x)", "vmap belongs in engine.turns"),
        ("engine.train", "from jax.sharding import Mesh as M", "Mesh belongs in"),
        ("engine.ensemble", "jax.pmap(f)", "pmap belongs in no file"),
        ("training.step", "def f(x: Float[Array, 'run pair']): ...", "run axis"),
        ("engine.train", "cell.config.get('num_steps', 10)", "default for a setting"),
        ("engine.train", "getattr(config, 'num_steps', 1)", "default for a setting"),
    ],
)
def test_fault_is_found(part, source, fault):
    (found,) = faults(part, source)
    assert fault in found


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("engine.train", "from repjax.engine.ensemble import Ensemble"),
        ("engine.manifest", "from repjax import __version__"),
        ("storage.checkpoint", "import orbax.checkpoint as ocp"),
        ("engine.ensemble", "jax.shard_map(f, mesh=Mesh(d, ('run',)))"),
        ("storage.results", "def f(x: Float[np.ndarray, 'run evaluation']): ..."),
        ("settings.config", "stored.get(key), os.environ.get('HOME', '')"),
    ],
)
def test_what_is_right_passes(part, source):
    assert faults(part, source) == []
