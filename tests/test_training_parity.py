"""200 steps of the published training step, in float64 PyTorch, and of ours."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from repjax.groups import build_group
from repjax.models import build_model
from repjax.tasks.pairs import num_train_pairs
from repjax.training.blocks import Blocks, TrainPairs
from repjax.training.optim import build_optimizer
from repjax.training.step import _loss_and_gradient, init_run, train_steps
from tests.compilation import quick_jit
from tests.tiny import tiny_cell

NUM_STEPS = 200
BLOCKS = Blocks(size=48)
"""Two blocks and a rest of the 100 training pairs of D6, as larger groups need them."""

WIDTHS = {
    "mlp__embed_dim": 256,
    "mlp__hidden_dim": 128,
    "transformer__num_heads": 4,
    "transformer__d_model": 128,
    "transformer__d_head": 32,
    "transformer__d_mlp": 512,
}


def mlp_in_torch(torch, w, left, right):
    pair = torch.hstack([w["W_x"][left], w["W_y"][right]])
    return torch.relu(pair @ w["W"]) @ w["W_U"]


def transformer_in_torch(torch, w, left, right):
    """All three positions; logits at the last."""
    equals = torch.full_like(left, len(w["W_E"]) - 1)
    residual = w["W_E"][torch.stack([left, right, equals], dim=1)] + w["W_pos"]
    query, key, value = (
        torch.einsum("ptm,hmd->phtd", residual, w[f"W_{name}"]) for name in "QKV"
    )
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    mixed = scores.softmax(dim=-1) @ value
    residual = residual + torch.einsum("phtd,hdm->ptm", mixed, w["W_O"])
    hidden = torch.relu(residual @ w["W_in"])
    return ((residual + hidden @ w["W_out"]) @ w["W_U"])[:, -1]


def train_in_torch(forward, weights, left, right, label, settings):
    """Losses of all steps and final weights, as the authors train."""
    torch = pytest.importorskip("torch")
    w = {
        name: torch.tensor(np.asarray(x, np.float64), requires_grad=True)
        for name, x in weights.items()
    }
    left, right, label = (
        torch.tensor(np.array(x)).long() for x in (left, right, label)
    )
    optimizer = torch.optim.AdamW(
        w.values(),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
    )
    losses = []
    for _ in range(NUM_STEPS):
        logits = forward(torch, w, left, right)
        loss = torch.nn.functional.cross_entropy(logits, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), {name: x.detach().numpy() for name, x in w.items()}


@pytest.fixture(scope="module", params=["mlp", "transformer"])
def start(request):
    pytest.importorskip("torch")
    return start_of(request.param, "D6")


def start_of(architecture, group_name):
    """A run at step 0, with the paper's widths, and what trains it."""
    cell = tiny_cell(groups=(group_name,), architectures=(architecture,), **WIDTHS)
    group = build_group(group_name)
    model, optimizer = build_model(cell, group.order), build_optimizer(cell.optimizer)
    num_pairs = num_train_pairs(group.order, cell.train_fraction)
    state = init_run(jax.random.key(0), model, optimizer, num_pairs)
    left, right = np.divmod(np.asarray(state.train_pairs), group.order)
    label = group.table[left, right]
    forward = {"mlp": mlp_in_torch, "transformer": transformer_in_torch}[architecture]
    weights = state.params["params"]
    expected = train_in_torch(forward, weights, left, right, label, cell.optimizer)
    return model, optimizer, state, jnp.asarray(group.table), expected


def train_in_float32(start):
    """Losses of all steps and final weights, by the program that trains."""
    model, optimizer, state, labels, _ = start
    of_pairs = labels.ravel()[state.train_pairs]
    train = quick_jit(
        lambda state: train_steps(
            state, jnp.int32(1), model, optimizer, of_pairs, BLOCKS
        )
    )
    losses = []
    for _ in range(NUM_STEPS):
        state, loss = train(state)
        losses.append(float(loss))
    return np.array(losses), state.params["params"]


def train_in_float64(start):
    """The same, network, loss and optimiser in float64."""
    model, optimizer, state, labels, _ = start

    num_pairs = len(state.train_pairs)

    def step(carry, _):
        params, opt_state = carry
        pairs = TrainPairs(
            pair=state.train_pairs,
            labels=labels.ravel()[state.train_pairs],
            weights=jnp.full(num_pairs, 1 / num_pairs),
        )
        loss, gradient = _loss_and_gradient(
            model, params, pairs, jnp.int32(num_pairs), BLOCKS
        )
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    with jax.enable_x64(True):
        params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), state.params)
        carry = (params, optimizer.init(params))
        (params, _), losses = quick_jit(
            lambda carry: jax.lax.scan(step, carry, length=NUM_STEPS)
        )(carry)
        assert losses.dtype == jnp.float64
        return np.asarray(losses), jax.tree.map(np.asarray, params["params"])


def largest_differences(ours, expected) -> tuple[float, float]:
    """Relative: of the losses, and of the tensors, ‖difference‖ / ‖expected‖."""
    (losses, weights), (expected_losses, expected_weights) = ours, expected
    return (
        np.max(np.abs(losses - expected_losses) / expected_losses),
        max(
            np.linalg.norm(weights[name] - x) / np.linalg.norm(x)
            for name, x in expected_weights.items()
        ),
    )


def test_float32_training_is_the_published_one(start):
    """docs/metrics.md says how near, and how near PyTorch is to itself in float64."""
    expected = start[-1]
    of_losses, of_weights = largest_differences(train_in_float32(start), expected)
    assert expected[0][-1] < 0.01 * expected[0][0]
    assert of_losses < 1e-2
    assert of_weights < 2e-2


def test_float64_training_is_the_published_one(start):
    """What is left is rounding."""
    of_losses, of_weights = largest_differences(train_in_float64(start), start[-1])
    assert of_losses < 1e-11
    assert of_weights < 1e-11
