"""What every network must share with its textbook version."""

import jax
import jax.numpy as jnp
import numpy as np

from repjax.models import ARCHITECTURES, Model
from tests import textbook
from tests.compilation import quick_jit


def all_pairs(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Left and right factor of every pair."""
    return np.divmod(np.arange(order**2, dtype=np.int32), order)


def check_forward(architecture: str, order: int, **sizes: int) -> None:
    """Logits, activations and the map between them, in float64 to 1e-5."""
    model = ARCHITECTURES[architecture](order=order, **sizes)
    weights = textbook.random_weights(0, architecture, order, **sizes)
    left, right = all_pairs(order)

    @quick_jit
    def forward(params, left, right):
        hidden = model.hidden(model.apply(params, method="tables"), left, right)
        return hidden, model.apply(params, left, right)

    actual = forward({"params": weights}, left, right)
    exact = textbook.in_float64(weights)
    expected = textbook.FORWARD[architecture](exact, left, right)
    for x, y in zip(actual, expected, strict=True):
        assert np.std(y) > 0.2, "too small to see a difference"
        np.testing.assert_allclose(x, y, atol=1e-5)


def check_gradient(architecture: str, order: int, **sizes: int) -> None:
    """Gradient of a generic function of some logits, against float64 autodiff."""
    model = ARCHITECTURES[architecture](order=order, **sizes)
    weights = textbook.random_weights(1, architecture, order, **sizes)
    rng = np.random.default_rng(2)
    some = np.sort(rng.permutation(order**2)[: order**2 // 2]).astype(np.int32)
    pairs = [jnp.array(x) for x in np.divmod(some, order)]
    cotangent = rng.normal(size=(len(some), order)).astype(np.float32)

    def gradient_of(logits):
        return quick_jit(jax.grad(lambda weights: jnp.sum(cotangent * logits(weights))))

    def logits(weights):
        return model.apply({"params": weights}, *pairs)

    def textbook_logits(weights):
        return textbook.FORWARD[architecture](weights, *pairs, jnp)[1]

    actual = gradient_of(logits)(weights)
    with jax.enable_x64(True):
        exact = jax.tree.map(jnp.asarray, textbook.in_float64(weights))
        expected = gradient_of(textbook_logits)(exact)
    assert actual.keys() == expected.keys()
    for name, x in actual.items():
        assert expected[name].dtype == jnp.float64
        scale = np.abs(expected[name]).max()
        assert scale > 0.1, name
        np.testing.assert_allclose(x, expected[name], atol=1e-5 * scale, err_msg=name)


def initial_shapes(architecture: str, order: int, **sizes: int) -> dict[str, tuple]:
    """Shapes of a fresh network's weights, without making them."""
    model = ARCHITECTURES[architecture](order=order, **sizes)
    params = jax.eval_shape(
        model.init, jax.random.key(0), *[jnp.zeros(1, jnp.int32)] * 2
    )
    assert all(x.dtype == jnp.float32 for x in params["params"].values())
    return {name: x.shape for name, x in params["params"].items()}


def check_initial_spread(model: Model, expected: dict[str, float]) -> None:
    """Every weight is normal with mean 0, has its spread, and is drawn by itself."""
    nobody = jnp.zeros(1, jnp.int32)
    initialise = quick_jit(lambda key: model.init(key, nobody, nobody))
    weights = initialise(jax.random.key(3))["params"]
    assert weights.keys() == expected.keys()
    for name, spread in expected.items():
        sample = np.asarray(weights[name], np.float64).ravel() / spread
        error = 5 / np.sqrt(sample.size)
        assert abs(sample.mean()) < error, name
        assert abs(sample.std() - 1) < error, name
        assert abs((sample**4).mean() - 3) < 10 * error, name  # of a normal variable
    starts = [np.ravel(w)[:8] / expected[name] for name, w in weights.items()]
    assert len(np.unique(np.round(starts, 3))) > 7 * len(starts)
