"""What the pages of instructions show works as it stands.

Commands in blocks marked `bash` are run: training as a dry run, programs that need a
trained workdir as far as their flags. Blocks with a title are files beside them.
"""

import contextlib
import importlib
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from absl.testing import flagsaver

import repjax
from repjax import command_line
from repjax.__main__ import COMMANDS
from repjax.engine.progress import Progress
from repjax.models import Model
from tests.programs import call
from tests.tiny import tiny_cell, train_cell

DOCS = Path(__file__).parents[1] / "docs"
FIRST = ("start", "science", "sweeps", "dataset", "live_curves")
PAGES = [*(DOCS / f"{name}.md" for name in FIRST), *sorted(DOCS.glob("how_to/*.md"))]
IN_A_CHECKOUT = ("performance.md", "decisions.md", "how_to/index.md")
BLOCK = re.compile(
    r'^```(\w*)(?: title="(.+?)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE
)


def blocks(page):
    """(language, title, text) of each block of code on a page."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def name_of(page):
    return page.stem


def commands(page):
    for language, _, text in blocks(page):
        if language == "bash":
            yield from map(shlex.split, text.replace("\\\n", " ").splitlines())


def program_of(command):
    module = COMMANDS[command][0]
    found = importlib.import_module(module)
    return (
        found
        if hasattr(found, "main")
        else importlib.import_module(f"{module}.__main__")
    )


def run(command):
    """Exit code of a command, in this process and without training."""
    name, *arguments = command
    program = program_of(name)
    if name == "train":
        return call(program, *arguments, "--dry_run")
    if name == "groups":
        return call(program, *arguments, operands="[NAME]")
    saved = flagsaver.save_flag_values(program._FLAGS)
    try:
        command_line.parse_flags([name, *arguments], program._FLAGS)
    finally:
        flagsaver.restore_flag_values(saved, program._FLAGS)
    return 0


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _, title, text in blocks(page):
        if title and "/" not in title:
            Path(title).write_text(text, encoding="utf-8")
    for program, *command in commands(page):
        assert program == "repjax"
        code = run(command)
        assert code == 0, (command, capsys.readouterr().err)


def test_there_are_commands_to_run():
    found = [command[1] for page in PAGES for command in commands(page)]
    assert len(found) > 20
    assert {*found} >= {"train", "report", "table3", "groups"}


def test_commands_are_those_of_an_installed_package():
    """Pages that need a checkout say so; how_to/index.md names the other form."""
    others = {
        page.relative_to(DOCS).as_posix()
        for page in DOCS.rglob("*.md")
        if re.search(
            r"python -m repjax|--config=experiments/(?!table3)", page.read_text()
        )
    }
    assert others <= {*IN_A_CHECKOUT}


def test_a_wrong_command_is_found(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("```bash\nrepjax train --config=quickstart --config.seed=1\n```\n")
    ((_, *command),) = commands(page)
    assert run(command) == 2
    assert "seed" in capsys.readouterr().err


def code_of(page, title=None):
    """The block of Python with this title, or the only one."""
    (text,) = (
        text
        for language, name, text in blocks(page)
        if language == "python" and (title is None or name == title)
    )
    return text


def test_the_metric_of_ones_own_runs_over_all_networks(tmp_path, monkeypatch):
    cell = tiny_cell(groups=("A5",))
    train_cell(cell, tmp_path / "runs" / "quickstart", Progress())
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code_of(DOCS / "how_to/own_metric.md", "metric.py"), {})
    needed = np.array(out.getvalue().strip("[]\n").split(), int)
    assert needed.shape == (3,)
    assert np.all((needed >= 1) & (needed <= cell.sizes.hidden_dim))


def test_cells_are_used_from_python_as_shown(tmp_path, monkeypatch):
    cell = tiny_cell(groups=("D12",))
    train_cell(cell, tmp_path / "runs" / "quickstart", Progress())
    monkeypatch.setenv("MPLBACKEND", "agg")
    names = {"sweep": repjax.load(tmp_path / "runs" / "quickstart")}
    _, *used = (
        text for language, _, text in blocks(DOCS / "python.md") if language == "python"
    )
    exec("\n".join(used), names)
    assert names["logits"].shape == (24, 24)
    expected = names["cell"].results.final("fve_logits")[0]
    np.testing.assert_allclose(names["metrics"]["fve_logits"], expected, rtol=1e-4)


def test_the_network_of_ones_own_is_one():
    names = {}
    page = DOCS / "how_to" / "own_network.md"
    exec(code_of(page, "repjax/models/softplus_mlp.py"), names)
    network = names["SoftplusMlp"](order=6, embed_dim=4, hidden_dim=5)
    assert isinstance(network, Model)
    hidden = network.combine(np.zeros((1, 5)), np.zeros((1, 5)))
    np.testing.assert_allclose(hidden, np.log(2), rtol=1e-6)


def test_the_rooms_can_be_used_alone():
    names = {}
    exec(code_of(DOCS / "reference" / "index.md"), names)
    assert names["metrics"]["logit_similarity"].shape == (5,)
