"""Every metric against its definition, on random and on trained networks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.analysis import memory
from repjax.analysis.basis import Basis, build_basis, fraction_explained
from repjax.analysis.evaluate import evaluate
from repjax.metrics import COUNTS, EXPLAINED, KEY_SIMILARITY, PER_IRREP, SCALARS
from repjax.models import ARCHITECTURES
from repjax.settings.config import OptimizerConfig
from repjax.tasks.pairs import labels
from repjax.training.optim import build_optimizer
from repjax.training.state import RunState
from repjax.training.step import train_steps
from tests import textbook
from tests.analysis import definitions
from tests.compilation import quick_jit
from tests.small_groups import small_group

SIZES = {
    "mlp": {"embed_dim": 9, "hidden_dim": 14},
    "bilinear": {"embed_dim": 9, "hidden_dim": 14},
    "transformer": {"num_heads": 2, "d_model": 16, "d_head": 5, "d_mlp": 24},
}
# Fast enough to memorise in 600 steps, with a decay that drops some irreps.
OPTIMIZER = build_optimizer(
    OptimizerConfig(
        learning_rate=1e-2, weight_decay=0.3, beta1=0.9, beta2=0.98, eps=1e-8
    )
)
TRAINING_STEPS = 600
LOSSES = [name for name in (*SCALARS, *PER_IRREP) if name.endswith("_loss")]


class Network:
    """One architecture on one group, its programs compiled once."""

    def __init__(self, name: str, architecture: str, task: str = "a*b"):
        self.group, self.architecture = small_group(name), architecture
        order = self.group.order
        self.model = ARCHITECTURES[architecture](order=order, **SIZES[architecture])
        self.labels = labels(self.group, task)
        self.basis = build_basis(self.group, task)
        rng = np.random.default_rng(order)
        train = np.sort(rng.permutation(order**2)[: int(0.7 * order**2)])
        self.train_pairs = jnp.array(train, jnp.int32)
        self.random = textbook.random_weights(
            3, architecture, order, **SIZES[architecture]
        )

    def trained(self) -> dict[str, jax.Array]:
        """Its random weights after training."""
        params = {"params": {k: jnp.array(w) / 2 for k, w in self.random.items()}}
        state = RunState(jnp.int32(0), params, OPTIMIZER.init(params), self.train_pairs)
        steps = partial(
            train_steps,
            model=self.model,
            optimizer=OPTIMIZER,
            labels=self.basis.labels.ravel()[self.train_pairs],
        )
        state, loss = quick_jit(steps)(state, jnp.int32(TRAINING_STEPS))
        assert loss < 0.1, "not trained: harder than it should be"
        return state.params["params"]

    def evaluator(self):
        kernel = quick_jit(
            lambda params, pairs, basis: evaluate(self.model, params, pairs, basis)
        )
        return lambda weights: jax.device_get(
            kernel({"params": weights}, self.train_pairs, self.basis)
        )

    def expected(self, weights) -> dict[str, np.ndarray]:
        return definitions.evaluate(
            self.group,
            self.architecture,
            weights,
            np.asarray(self.train_pairs),
            self.labels,
        )


def assert_same_metrics(actual, expected):
    """Shares and similarities to 2e-6, losses to a relative 2e-5."""
    assert actual.keys() == expected.keys()
    # How far a run was trained is not to be seen from its weights.
    assert actual.keys() | {"trained_steps"} == {
        *SCALARS,
        *EXPLAINED,
        *COUNTS,
        *PER_IRREP,
    }
    similarity = expected["logit_similarity"]
    assert (np.abs(similarity - KEY_SIMILARITY) > 1e-5).all(), "key by rounding"
    for name, value in expected.items():
        relative = name in LOSSES or name == "equivariance_spread"
        tolerance = {"rtol": 2e-5} if relative else {"rtol": 2e-6, "atol": 2e-6}
        assert actual[name].dtype == np.float32 and actual[name].shape == np.shape(
            value
        )
        np.testing.assert_allclose(actual[name], value, **tolerance, err_msg=name)


@pytest.mark.parametrize("architecture", SIZES)
@pytest.mark.parametrize("name", ["C7", "D5", "A4", "S3", "Q8"])
def test_metrics_are_their_definitions(name, architecture):
    network = Network(name, architecture)
    evaluator = network.evaluator()
    for weights in (network.random, network.trained()):
        assert_same_metrics(evaluator(weights), network.expected(weights))


def test_metrics_of_a_word_that_is_no_latin_square():
    """Labels of commutators are not equally frequent, and three of six have no pair."""
    network = Network("S3", "mlp", "a*b*a^-1*b^-1")
    assert len(np.unique(network.labels)) == 3
    metrics = network.evaluator()(network.random)
    assert_same_metrics(metrics, network.expected(network.random))


def test_the_whole_table_leaves_test_metrics_blank():
    """Only what is averaged over test or training pairs depends on the split."""
    network = Network("S3", "mlp")
    part = network.expected(network.random)
    share = len(network.train_pairs) / network.group.order**2
    network.train_pairs = jnp.arange(network.group.order**2)
    whole = network.evaluator()(network.random)
    for name in ("loss", "accuracy"):
        assert np.isnan(whole[f"test_{name}"])
        mean = share * part[f"train_{name}"] + (1 - share) * part[f"test_{name}"]
        np.testing.assert_allclose(whole[f"train_{name}"], mean, rtol=2e-5)
    for name in ("excluded_loss", "irrep_excluded_loss"):
        assert np.isfinite(whole[name]).all()
    for name in ("restricted_loss", "fve_logits", "without_ab_loss", "hidden_ab"):
        np.testing.assert_allclose(whole[name], part[name], rtol=2e-5, atol=2e-6)


def test_blocks_change_nothing(monkeypatch):
    """10 rows in blocks of 3, and 70 training pairs in blocks of 30: both ragged."""
    rows, network = 3, Network("D5", "mlp")
    width = max(network.group.order, SIZES["mlp"]["hidden_dim"])
    elements = rows * network.group.order * width
    monkeypatch.setattr(memory, "_CPU_BLOCK_ELEMENTS", elements)
    assert memory.rows_at_once(network.group.order, width, True) == rows
    metrics = network.evaluator()(network.random)
    assert_same_metrics(metrics, network.expected(network.random))


def test_turns_of_irreps_change_nothing(monkeypatch):
    """5 irreps of D7, two at once: the last turn has one."""
    network = Network("D7", "mlp")
    order, num_irreps = network.group.order, network.basis.member.shape[0]
    monkeypatch.setattr(memory, "_TABLE_ELEMENTS", 2 * order**2)
    assert (num_irreps, memory.irreps_at_once(order, num_irreps)) == (5, 2)
    metrics = network.evaluator()(network.random)
    assert_same_metrics(metrics, network.expected(network.random))


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
@pytest.mark.parametrize(
    ("order", "num_irreps"), [(60, 5), (113, 57), (720, 11), (2000, 1001)]
)
def test_no_array_grows_with_the_cube_of_the_order(architecture, order, num_irreps):
    """Of A5, C113, S6, and of C2000, where a table for each irrep would be 4e9 floats.

    Programs are compiled, not run; XLA then says what they would need.
    """
    model = ARCHITECTURES[architecture](order=order)
    one = jnp.zeros(1, jnp.int32)
    params = jax.eval_shape(model.init, jax.random.key(0), one, one)
    pairs = jax.ShapeDtypeStruct((order**2 * 2 // 5,), jnp.int32)
    table, by_irrep = (order, order), (num_irreps, order)
    basis = {
        "fourier": jax.ShapeDtypeStruct(table, jnp.float32),
        "member": jax.ShapeDtypeStruct(by_irrep, jnp.float32),
        "characters": jax.ShapeDtypeStruct(by_irrep, jnp.float32),
        "labels": jax.ShapeDtypeStruct(table, jnp.int32),
        "product": jax.ShapeDtypeStruct(table, jnp.int32),
        "class_of": jax.ShapeDtypeStruct((order,), jnp.int32),
    }
    lowered = jax.jit(
        lambda params, pairs, basis: evaluate(model, params, pairs, Basis(**basis))
    ).lower(params, pairs, basis)
    needed = lowered.compile().memory_analysis().temp_size_in_bytes
    width = jax.eval_shape(
        lambda params: model.apply(params, method="unembedding"), params
    ).shape[0]
    planned = 4 * memory.floats_of_evaluation(order, num_irreps, width, on_cpu=True)
    assert planned / 4 < needed < planned


def test_what_exists_at_once_is_bounded():
    for order, width in [(6, 4), (120, 128), (720, 128), (720, 512), (5040, 128)]:
        for on_cpu, most in ((True, 2**16), (False, 2**21)):
            rows = memory.rows_at_once(order, width, on_cpu)
            assert 1 <= rows <= order
            assert rows == 1 or rows * order * max(order, width) <= most
        together = memory.networks_at_once(order, width) * rows * order
        assert together * max(order, width) <= max(2**24, order * max(order, width))
        for num_irreps in (1, 11, order // 2 + 1):
            at_once = memory.irreps_at_once(order, num_irreps)
            assert 1 <= at_once <= num_irreps
            assert at_once == 1 or at_once * order**2 <= 2**24


@pytest.mark.parametrize("name", ["C8", "D6", "A4", "Q8"])
def test_shares_of_a_random_matrix_are_a_partition(name):
    group = small_group(name)
    matrix = np.random.default_rng(0).normal(size=(group.order, 5))
    shares = fraction_explained(jnp.array(matrix, jnp.float32), build_basis(group))
    assert (np.asarray(shares) > 0).all()
    np.testing.assert_allclose(np.sum(shares), 1, rtol=1e-6)
