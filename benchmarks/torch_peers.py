"""The alternatives in torch: the published training step, and an ensemble of it.

Needs the extra `torch`. Both use the paper's settings: full batch, AdamW, embeddings
looked up pair by pair, the transformer at all three positions, and cross-entropy of a
float64 log-softmax, as in the authors' code; in float32 it gives multiples of 1e-7.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from repjax.groups import build_group
from repjax.settings.config import CellConfig
from repjax.tasks.pairs import labels

Weights = Mapping[str, torch.Tensor]


def mlp(w: Weights, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Compute the logits of each pair, pair × vocab."""
    pair = torch.cat([w["W_x"][left], w["W_y"][right]], dim=1)
    return torch.relu(pair @ w["W"]) @ w["W_U"]


def transformer(w: Weights, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Compute logits at all positions, and return those of each pair at "="."""
    equals = torch.full_like(left, w["W_E"].shape[0] - 1)
    residual = w["W_E"][torch.stack([left, right, equals], dim=1)] + w["W_pos"]
    query, key, value = (
        torch.einsum("ptm,hmd->phtd", residual, w[f"W_{name}"]) for name in "QKV"
    )
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    mixed = scores.softmax(dim=-1) @ value
    residual = residual + torch.einsum("phtd,hdm->ptm", mixed, w["W_O"])
    hidden = torch.relu(residual @ w["W_in"])
    return ((residual + hidden @ w["W_out"]) @ w["W_U"])[:, -1]


def loss_of(forward: Callable) -> Callable[..., torch.Tensor]:
    """Return the mean cross-entropy as a function of weights, pairs and labels."""

    def loss(w, left, right, label):
        log_probability = forward(w, left, right).double().log_softmax(dim=-1)
        return -log_probability.gather(1, label[:, None]).mean()

    return loss


def allow_tf32() -> None:
    """Let products on a GPU use TF32, as ours do in the precision "default"."""
    torch.set_float32_matmul_precision("high")


def wait() -> None:
    """Wait for everything that was started on a GPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class _Peer:
    """Weights, pairs and AdamW; subclasses add `step`, which returns the loss."""

    def __init__(
        self, cell: CellConfig, weights: Mapping[str, np.ndarray], pairs, device="cpu"
    ):
        order = build_group(cell.group).order
        left, right = np.divmod(np.asarray(pairs), order)
        label = labels(build_group(cell.group), cell.task)[left, right]
        self._data = [
            torch.tensor(x, device=device).long() for x in (left, right, label)
        ]
        self._loss = loss_of(
            {"mlp": mlp, "transformer": transformer}[cell.architecture]
        )
        self.weights = {
            name: torch.tensor(np.asarray(x), device=device, requires_grad=True)
            for name, x in weights.items()
        }
        self._adamw = torch.optim.AdamW(
            self.weights.values(),
            lr=cell.optimizer.learning_rate,
            betas=(cell.optimizer.beta1, cell.optimizer.beta2),
            eps=cell.optimizer.eps,
            weight_decay=cell.optimizer.weight_decay,
        )


class PublishedStep(_Peer):
    """The training step of one run.

    Args:
        cell: its settings.
        weights: name → tensor.
        pairs: training pairs a·n + b.
        device: torch's name of the device.
    """

    def step(self) -> float:
        """Take one step and return the loss."""
        loss = self._loss(self.weights, *self._data)
        self._adamw.zero_grad()
        loss.backward()
        self._adamw.step()
        return loss.item()


class TorchEnsemble(_Peer):
    """All runs at once by `torch.func.vmap`, compiled if there is a compiler.

    Args:
        cell: its settings.
        weights: name → tensors of all runs, stacked.
        pairs: run × pair.
        device: torch's name of the device.

    Attributes:
        how: "compiled", or "vmap alone" where torch.compile failed.
    """

    def __init__(
        self, cell: CellConfig, weights: Mapping[str, Any], pairs, device="cpu"
    ):
        super().__init__(cell, weights, pairs, device)
        per_run = torch.func.grad_and_value(self._loss)
        self._gradient = torch.func.vmap(per_run)
        self.how = "compiled"
        # After some recompilations torch stops compiling and runs eagerly.
        torch.compiler.reset()
        try:
            compiled = torch.compile(self._gradient, dynamic=False)
            compiled(self._detached(), *self._data)
        except Exception as error:  # no compiler, or a package missing, say
            reason = " ".join(str(error).split())[:200]
            print(f"repjax: torch.compile failed: {reason}", file=sys.stderr)
            self.how = "vmap alone"
        else:
            self._gradient = compiled

    def _detached(self) -> dict[str, torch.Tensor]:
        return {name: x.detach() for name, x in self.weights.items()}

    def step(self) -> torch.Tensor:
        """Take one step of every run and return their losses."""
        gradient, loss = self._gradient(self._detached(), *self._data)
        for name, x in self.weights.items():
            x.grad = gradient[name]
        self._adamw.step()
        return loss
