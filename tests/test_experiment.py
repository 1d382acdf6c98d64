"""Experiments are found by name from any folder, and share what repjax carries."""

import sys

import pytest

from repjax.experiment import CARRIED, carried_names, load_config

MINE = "from experiments import base\ndef get_config():\n    return base.get_config()\n"


def test_names_are_the_files_of_the_folder():
    assert {"base", "quickstart", "table3"} <= {*carried_names()}
    assert len(carried_names()) == len([*CARRIED.glob("*.py")]) - 1


def test_a_name_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config("quickstart").groups == ("D12", "A5")
    assert max(len(name) for name in load_config("small_groups:8").groups) > 0


def test_a_file_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s5.py").write_text(MINE + "get_config = lambda: base.get_config()\n")
    assert load_config("s5.py").architectures == ("mlp",)
    assert load_config("s5").architectures == ("mlp", "transformer")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quikstart", "no such file; did you mean quickstart?"),
        ("experiments/quickstart.py", "no such file; did you mean quickstart?"),
        ("zzz", "no such file; use one of a5, base, "),
        ("__init__", "no such file; "),
    ],
)
def test_a_wrong_name_is_said_to_be_one(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        load_config(name)


def test_a_folder_called_experiments_may_lie_anywhere(tmp_path):
    """Its own files come first; what it lacks is what repjax carries."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    (folder / "common.py").write_text("num_steps = 7\n")
    (folder / "mine.py").write_text(
        "from experiments import base, common\n"
        "def get_config():\n"
        "    config = base.get_config()\n"
        "    config.num_steps = common.num_steps\n"
        "    return config\n"
    )
    assert load_config(str(folder / "mine.py")).num_steps == 7
    (folder / "common.py").write_text("num_steps = 123\n")
    assert load_config(str(folder / "mine.py")).num_steps == 123


def test_loading_leaves_no_trace(tmp_path):
    import experiments.base  # noqa: F401  (a test or a notebook may have done so)

    (tmp_path / "mine.py").write_text(MINE)
    modules, path = dict(sys.modules), list(sys.path)
    load_config(str(tmp_path / "mine.py"))
    assert {k: v for k, v in sys.modules.items() if k.startswith("experiments")} == {
        k: v for k, v in modules.items() if k.startswith("experiments")
    }
    assert sys.path == path
