"""The set-up of the tests themselves, without which others would prove less."""

import warnings

import jax
import jax.numpy as jnp
import pytest
from jaxtyping import TypeCheckError

from repjax.training.losses import correct


def test_signatures_are_checked():
    assert correct(jnp.eye(3), jnp.arange(3)).all()
    with pytest.raises(TypeCheckError):
        correct(jnp.eye(3), jnp.arange(4))


def test_ranks_are_not_promoted():
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.zeros((2, 3)) + jnp.zeros(3)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="counts CPU devices")
def test_there_are_eight_devices():
    assert jax.device_count() == 8


def test_a_warning_is_an_error():
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
