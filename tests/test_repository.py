"""What holds for the files of the repository, whatever is in them."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repjax import __version__

REPOSITORY = Path(__file__).resolve().parents[1]
RUNTIME, TEST = LOCKS = ("requirements.lock", "requirements-test.lock")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
MAKEFILE = REPOSITORY / "Makefile"

# In pieces, so that this file does not name what it forbids.
REGISTRIES = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org"]
FOLDERS = ["work", "home", "root", "Users", "opt", "mnt", "farm"]
FORBIDDEN = re.compile(
    "|".join(
        [re.escape(host) for host in REGISTRIES]
        # An absolute path, not the middle of a relative one or of an address.
        + [rf"(?<![\w.*~/$}}-])/{folder}/\w" for folder in FOLDERS]
        + [r"file:" + r"///"]
    )
)


def files_of_the_repository() -> list[Path]:
    """Tracked files and those about to be, as git sees them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    names = done.stdout.decode().split("\0")
    return [path for name in names if name and (path := REPOSITORY / name).is_file()]


def test_no_file_names_a_registry_or_a_folder_of_this_machine():
    found = []
    for path in files_of_the_repository():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(lines, 1)
            if FORBIDDEN.search(line)
        ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "see https://" + REGISTRIES[0] + "/project/repjax",
        "--index-url=https://files." + REGISTRIES[1],
        'path = "/' + 'home/me/repjax"',
        "see /" + "work/notes.md",
        "file:" + "///etc",
    ],
)
def test_forbidden_text_is_found(text):
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize(
    "text", ["see docs/work/notes.md", "https://example.org/home/me", "gs://b/work/x"]
)
def test_other_text_passes(text):
    assert not FORBIDDEN.search(text)


def locked(lock: str) -> dict[str, Requirement]:
    """Every package of a lock by canonical name; each must have a hash."""
    entries = re.split(r"\n(?=[a-z0-9])", (REPOSITORY / lock).read_text())[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    found = [Requirement(entry.split(" \\")[0].strip()) for entry in entries]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def wanted_by(*extras: str) -> list[Requirement]:
    """The package's requirements, with those of extras and of extras in extras."""
    lines = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    found = [*map(Requirement, lines)]
    for requirement in (Requirement(line) for name in extras for line in EXTRAS[name]):
        own = requirement.name == PROJECT["project"]["name"]
        found += wanted_by(*requirement.extras) if own else [requirement]
    return found


@pytest.mark.parametrize(("lock", "extras"), [(RUNTIME, ()), (TEST, ("test",))])
def test_lock_satisfies_pyproject(lock, extras):
    pins = locked(lock)
    for requirement in wanted_by(*extras):
        (pin,) = pins[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), requirement


def test_lock_of_tests_only_adds_to_that_of_the_package():
    assert locked(RUNTIME).items() <= locked(TEST).items()
    assert len(locked(TEST)) > len(locked(RUNTIME))


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_lock_is_one_set_of_versions_for_both_pythons(python, lock):
    """Markers may drop a package on another system, never split one by Python."""
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    linux = {"sys_platform": "linux", "platform_python_implementation": "CPython"}
    for requirement in locked(lock).values():
        if requirement.marker and not requirement.marker.evaluate(here | linux):
            assert requirement.marker in ELSEWHERE


ELSEWHERE = [
    Marker("sys_platform == 'win32'"),
    Marker("sys_platform == 'darwin'"),
    Marker("implementation_name == 'pypy'"),
]


def test_lock_leaves_out_the_extras():
    """The demo installs what training needs; nobody gets torch or CUDA unasked."""
    assert not {"torch", "gcsfs", "libtpu"} & locked(TEST).keys()
    assert not {"pandas", "wandb", "pyarrow", "pytest"} & locked(RUNTIME).keys()


def test_package_data_is_in_the_wheel(tmp_path):
    """Every file under repjax/, the paper's table and the templates among them."""
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        tmp_path,
    ]
    pytest.importorskip("hatchling")
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("repjax-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    ours = {str(path.relative_to(REPOSITORY)) for path in files_of_the_repository()}
    assert {name for name in ours if name.startswith("repjax/")} <= packed
    carried = {f"repjax/{name}" for name in ours if name.startswith("experiments/")}
    assert carried <= packed
    assert not any(name.startswith(("tests/", "experiments/")) for name in packed)
    if shutil.which("git") and (REPOSITORY / ".git").exists():
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True
        ).stdout.strip()
        commit = zipfile.ZipFile(wheel).read("repjax/commit.txt").decode()
        assert commit.removesuffix("-dirty") == head


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
def test_help_lists_every_target():
    targets = re.findall(r"^([\w-]+):(?!=)", MAKEFILE.read_text(), re.MULTILINE)
    done = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    listed = re.findall(r"^  ([\w-]+)  +\S", done.stdout, re.MULTILINE)
    assert sorted(targets) == sorted(listed)
    assert {"demo", "test", "check", "lock", "clean"} <= {*targets}


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
def test_make_without_a_suitable_python_says_so(tmp_path):
    for name in ("Makefile", *LOCKS):
        shutil.copy(REPOSITORY / name, tmp_path)
    done = subprocess.run(
        ["make", "test", "PYTHON=no-such-python"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no Python 3.11 or 3.12" in done.stderr
    assert "no-such-python" in done.stderr
    assert not (tmp_path / ".venv").exists()


SCRIPTS = [REPOSITORY / ".ci" / "run", *sorted(REPOSITORY.glob("*/*.sh"))]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shell_script_parses_and_stops_at_the_first_error(path):
    subprocess.run(["bash", "-n", path], check=True)
    assert re.search(r"^set -euo pipefail$", path.read_text(), re.MULTILINE)
    assert os.access(path, os.X_OK)


def test_description_stands_alone():
    """A package's page has no other file: every link is absolute."""
    text = (REPOSITORY / PROJECT["project"]["readme"]).read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links and all(link.startswith("https://") for link in links)
    extras = {name for name in EXTRAS if name not in ("test", "docs")}
    assert extras <= {*re.findall(r"`(\w+)`", text)}


def test_citation_and_changelog_are_of_this_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert f"\n## {__version__}" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_files_that_contributors_are_sent_to_exist():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    for name in re.findall(r"`((?:repjax|tests|experiments)/[\w/.]*)`", text):
        assert (REPOSITORY / name).exists(), name
    for name in re.findall(r"\]\(([^)]+)\)", text):
        assert (REPOSITORY / name).exists(), name
    targets = re.findall(r"^([\w-]+):(?!=)", MAKEFILE.read_text(), re.MULTILINE)
    assert {*re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE)} <= {*targets}


@pytest.mark.skipif(not (REPOSITORY / "README.md").exists(), reason="no README.md")
def test_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 150
