import shutil
import subprocess

import pytest

from tests.launch.stand_in import REPOSITORY, StandIn


@pytest.fixture
def stand_in(tmp_path):
    stand_in = StandIn(tmp_path)
    yield stand_in
    stand_in.stop_everything()


@pytest.fixture
def workers_can_run():
    """What the machine must have to play the workers of a TPU VM."""
    for program in ("git", "flock", "setsid"):
        if not shutil.which(program):
            pytest.skip(f"no {program}")
    command = ["git", "-C", REPOSITORY, "cat-file", "-e", "HEAD:launch/worker.sh"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("not a git checkout, of which workers get the commit")
