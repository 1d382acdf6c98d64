"""What holds for every network, and for one that a user adds."""

import csv
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from repjax.models import ARCHITECTURES, Model, build_model
from repjax.settings import architectures
from repjax.settings.config import CellConfig
from tests.tiny import tiny_cell

ROOT = Path(__file__).parents[2]

ADD_A_NETWORK = """
import runpy, sys
from repjax.settings import architectures

architectures.ARCHITECTURES["cubic"] = architectures.Architecture("Cubic")

from repjax import models

class Cubic(models.Mlp):
    def combine(self, left, right):
        return (left + right) ** 3

models.ARCHITECTURES["cubic"] = Cubic
module, *sys.argv[1:] = sys.argv[1:]
runpy.run_module(module, run_name="__main__")
"""


def network(architecture: str, order: int = 6) -> tuple[CellConfig, Model, dict]:
    """A tiny cell, its network and the shapes of its weights."""
    cell = tiny_cell(architectures=(architecture,))
    model = build_model(cell, order)
    one = jnp.zeros(1, int)
    params = jax.eval_shape(model.init, jax.random.key(0), one, one)
    return cell, model, params


def test_every_kind_has_its_network():
    assert list(ARCHITECTURES) == list(architectures.ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sizes_are_those_of_the_network(architecture):
    cell, model, params = network(architecture)
    shapes = {name: weight.shape for name, weight in params["params"].items()}
    assert cell.sizes.weights(6) == shapes
    unembedding = jax.eval_shape(
        lambda params: model.apply(params, method="unembedding"), params
    )
    assert unembedding.shape == (cell.sizes.num_neurons, 6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_products_are_those_that_pairs_meet(architecture):
    """Two for each weight: XLA counts a few more, elementwise."""
    cell, model, params = network(architecture, order=60)
    num_pairs = 4096
    pairs = jax.ShapeDtypeStruct((num_pairs,), jnp.int32)

    def logits(params, left, right):
        tables = model.apply(params, method="tables")
        return model.logits(tables, left, right)

    operations = jax.jit(logits).lower(params, pairs, pairs).cost_analysis()["flops"]
    products = 2 * num_pairs * cell.sizes.products(60)
    assert products < operations < 1.5 * products


def test_a_network_without_all_methods_is_refused():
    class Half(Model):
        def unembedding(self):
            return jnp.ones((1, 1))

    with pytest.raises(TypeError, match=r"abstract methods.*factors.*hidden.*tables"):
        Half(order=3)


def test_a_network_that_a_user_adds_is_in_every_table(tmp_path):
    """As README says: its class, and its name in two places."""
    program, workdir = tmp_path / "program.py", tmp_path / "workdir"
    program.write_text(ADD_A_NETWORK)

    def call(module, *flags):
        command = [sys.executable, program, module, f"--workdir={workdir}", *flags]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    printed = call(
        "repjax.main",
        "--config=experiments/quickstart.py",
        "--config.groups=S3",
        "--config.architectures=mlp,cubic",
        "--config.num_steps=3",
        "--config.num_seeds=2",
        "--config.mlp.embed_dim=8",
        "--config.mlp.hidden_dim=12",
    )
    assert "Table 3: Cubic" in printed
    text = (workdir / "table3.csv").read_text()
    (row,) = csv.DictReader(text.splitlines())
    assert row["cubic_runs"] == row["mlp_runs"] == "2"
    assert "Cubic W_a" in (workdir / "table3.md").read_text()
    assert "Cubic" in (workdir / "table3.tex").read_text()
    assert call("repjax.table3", f"--out={tmp_path}").count("Cubic") == 1
    call("repjax.report", "--networks=1")
    assert "Table 3, Cubic" in (workdir / "index.html").read_text()
    call("repjax.export", "--run=S3_cubic/1", f"--out={tmp_path / 'f.safetensors'}")
