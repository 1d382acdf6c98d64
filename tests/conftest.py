"""What every test process starts with: eight CPU devices and one strict JAX."""

import os
import tempfile
from pathlib import Path

# Inherited by the commands that tests run. Two test processes share the machine, and
# the matrices are small: more BLAS threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# The same tiny programs are compiled again and again, in this process and its children.
_CACHE = Path(tempfile.gettempdir()) / f"repjax-tests-{os.getuid()}"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

import jax  # noqa: E402 - reads the environment when imported
import pytest  # noqa: E402

# Set here and not by JAX_NUM_CPU_DEVICES, so that a command run by a test sees one
# device as it does for a user, unless the test gives it that variable.
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def published() -> Path:
    """Folder of the weights published by the paper's authors, one folder per run."""
    default = REPOSITORY.parent / "shared" / "published"
    folder = Path(os.environ.get("REPJAX_PUBLISHED", default))
    if not folder.is_dir():
        pytest.skip("no published weights; REPJAX_PUBLISHED names their folder")
    return folder


@pytest.fixture(scope="session")
def torch():
    """PyTorch, which is not in the lock."""
    return pytest.importorskip("torch")
