"""Every metric against its definition, on random and on trained networks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from repjax.analysis import passes
from repjax.analysis.basis import build_basis, fraction_explained
from repjax.analysis.evaluate import evaluate
from repjax.config import OptimizerConfig
from repjax.data import labels
from repjax.metrics import COUNTS, KEY_SIMILARITY, PER_IRREP, SCALARS
from repjax.models import ARCHITECTURES
from repjax.optim import build_optimizer
from repjax.state import RunState
from repjax.step import train_steps
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
            labels=self.basis.labels,
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
    assert actual.keys() | {"trained_steps"} == {*SCALARS, *COUNTS, *PER_IRREP}
    similarity = expected["logit_similarity"]
    assert (np.abs(similarity - KEY_SIMILARITY) > 1e-5).all(), "key by rounding"
    for name, value in expected.items():
        tolerance = {"rtol": 2e-5} if name in LOSSES else {"rtol": 2e-6, "atol": 2e-6}
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


def test_blocks_change_nothing(monkeypatch):
    """10 rows in blocks of 3, and 70 training pairs in blocks of 30: both ragged."""
    rows, network = 3, Network("D5", "mlp")
    width = max(network.group.order, SIZES["mlp"]["hidden_dim"])
    elements = rows * network.group.order * width
    monkeypatch.setitem(passes._BLOCK_ELEMENTS, "cpu", elements)
    assert passes._rows_per_block(network.group.order, width) == rows
    metrics = network.evaluator()(network.random)
    assert_same_metrics(metrics, network.expected(network.random))


def test_blocks_hold_no_more_than_they_may():
    for order, width in [(6, 4), (120, 128), (720, 128), (720, 512), (5040, 128)]:
        rows = passes._rows_per_block(order, width)
        assert 1 <= rows <= order
        most = passes._BLOCK_ELEMENTS["cpu"]
        assert rows == 1 or rows * order * max(order, width) <= most


@pytest.mark.parametrize("name", ["C8", "D6", "A4", "Q8"])
def test_shares_of_a_random_matrix_are_a_partition(name):
    group = small_group(name)
    matrix = np.random.default_rng(0).normal(size=(group.order, 5))
    shares = fraction_explained(jnp.array(matrix, jnp.float32), build_basis(group))
    assert (np.asarray(shares) > 0).all()
    np.testing.assert_allclose(np.sum(shares), 1, rtol=1e-6)
