"""What the README shows works as it stands."""

import re
from pathlib import Path

import pytest

from repjax.settings.config import from_config_dict
from repjax.settings.sweep import expand

README = (Path(__file__).parent.parent / "README.md").read_text()


def code_block(language, containing):
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (block,) = (block for block in blocks if containing in block)
    return block


def test_the_idea_runs():
    """At a smaller size: S3 for S5 and 10 steps for 1,000."""
    block = code_block("python", "look = lambda").replace('"S5"', '"S3"')
    assert len([line for line in block.splitlines() if line]) == 16
    names = {}
    exec(block.replace("1000", "10"), names)
    assert names["similarity"].shape == (4, 3)


def test_the_experiment_is_one():
    names = {}
    exec(code_block("python", "def get_config"), names)
    assert len(expand(from_config_dict(names["get_config"]()))) == 9


@pytest.mark.parametrize("command", re.findall(r"python -m (repjax\S+)", README))
def test_programs_exist(command):
    module = Path(__file__).parent.parent / command.replace(".", "/")
    assert module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()
