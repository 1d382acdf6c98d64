"""Experiments are found by name from any folder, and share what repjax carries."""

import sys

import pytest

from repjax.experiment import CARRIED, carried_names, load_config

MINE = "from experiments import base\ndef get_config():\n    return base.get_config()\n"


ANY = f"one of {', '.join(carried_names())}, or a Python file (.py)"


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
        ("quikstart", "no such experiment or file; did you mean quickstart?"),
        ("experiments/quikstart.py", "no such file; did you mean quickstart?"),
        ("mine/quickstart.py", "no such file; did you mean quickstart?"),
        ("zzz", f"no such experiment or file; use {ANY}"),
        ("zzz.py", f"no such file; use {ANY}"),
        ("__init__", f"no such experiment or file; use {ANY}"),
        ("roots.csv", "holds a group, not an experiment; name it in config.groups"),
        ("words", f"not an experiment; use {ANY}"),
        (".", f"not an experiment; use {ANY}"),
    ],
)
def test_a_wrong_name_is_said_to_be_one(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roots.csv").touch()
    (tmp_path / "words").touch()
    with pytest.raises(ValueError) as error:
        load_config(name)
    assert str(error.value) == message


def test_the_files_of_a_checkout_are_found_without_it(tmp_path, monkeypatch):
    """Docs name them so; a file of the user's own comes first."""
    monkeypatch.chdir(tmp_path)
    assert load_config("experiments/quickstart.py").groups == ("D12", "A5")
    assert len(load_config("./experiments/small_groups.py:8").groups) == 13
    (tmp_path / "experiments").mkdir()
    own = tmp_path / "experiments" / "quickstart.py"
    own.write_text(MINE.replace("base", "s5"))
    assert load_config("experiments/quickstart.py").groups == ("S5",)


FAULTS = [
    ("config.num_sedes = 3", "num_sedes: unknown; did you mean num_seeds?"),
    ("config['num_sedes'] = 3", "num_sedes: unknown; did you mean num_seeds?"),
    ("print(config.num_sedes)", "num_sedes: unknown; did you mean num_seeds?"),
    (
        "config.optimizer.lr = 1e-3",
        "lr: unknown; use one of beta1, beta2, eps, learning_rate, weight_decay",
    ),
    ("config.groups = 'S4'", "groups: 'S4' is not allowed; use a tuple like ('S5',)"),
    (
        "config.optimizer.learning_rate = 'fast'",
        "learning_rate: 'fast' is not allowed; use a float like 0.001",
    ),
    ("{}['x']", "KeyError: 'x'"),
    ("raise ValueError('mine')", "ValueError: mine"),
]


@pytest.mark.parametrize(("line", "message"), FAULTS)
def test_a_mistake_in_a_file_is_one_line_with_its_number(tmp_path, line, message):
    path = tmp_path / "mine.py"
    path.write_text(MINE.replace("return", "config =") + f"    {line}\n")
    with pytest.raises(ValueError) as error:
        load_config(str(path))
    assert str(error.value) == f"line 4: {message}"


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


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(ValueError, match="File name too long"):
        load_config(300 * "x")


def test_loading_leaves_no_trace(tmp_path):
    import experiments.base  # noqa: F401  (a test or a notebook may have done so)

    (tmp_path / "mine.py").write_text(MINE)
    modules, path = dict(sys.modules), list(sys.path)
    load_config(str(tmp_path / "mine.py"))
    assert {k: v for k, v in sys.modules.items() if k.startswith("experiments")} == {
        k: v for k, v in modules.items() if k.startswith("experiments")
    }
    assert sys.path == path
