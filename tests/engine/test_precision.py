"""The precision of training: as the user says, or TF32 where it was shown to agree."""

from unittest.mock import Mock

import jax
import pytest

from repjax.engine import manifest, precision
from repjax.engine.precision import has_tf32, resolve
from tests.tiny import tiny_cell


def device(kind: str, capability: str | None = None) -> jax.Device:
    """A device as JAX describes it."""
    known = {"compute_capability": capability} if capability else {}
    return Mock(spec=jax.Device, device_kind=kind, **known)


H200, V100 = device("NVIDIA H200", "9.0"), device("Tesla V100-SXM2-16GB", "7.0")
T4, OTHERS = device("NVIDIA T4", "7.5"), (device("AMD MI300", "gfx942"), device("cpu"))


def test_tf32_is_nvidias_from_ampere_on():
    assert has_tf32(device("NVIDIA A100-SXM4-40GB", "8.0")) and has_tf32(H200)
    assert not any(map(has_tf32, (V100, T4, *OTHERS, device("TPU v4"))))


@pytest.mark.parametrize("asked", ["default", "high", "highest"])
def test_what_the_user_says_stands(monkeypatch, asked):
    monkeypatch.setattr(precision, "AGREES", frozenset({"mlp"}))
    assert resolve(tiny_cell(matmul_precision=asked), H200) == asked


def test_auto_is_float32_until_agreement_is_shown(monkeypatch):
    mlp = tiny_cell(matmul_precision="auto")
    assert resolve(mlp, H200) == "highest"
    monkeypatch.setattr(precision, "AGREES", frozenset({"mlp"}))
    assert resolve(mlp, H200) == "default"
    assert resolve(mlp, T4) == "highest"
    bilinear = tiny_cell(matmul_precision="auto", architectures=("bilinear",))
    assert resolve(bilinear, H200) == "highest"


def test_the_manifest_has_the_resolved_precision():
    cell = tiny_cell(matmul_precision="auto")
    ((_, program),) = manifest._programs([cell])
    assert program["matmul_precision"] == "highest"
    assert resolve(cell, jax.devices()[0]) == "highest"
