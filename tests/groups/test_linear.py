"""Tests of finite fields and of linear groups over them."""

import numpy as np
import pytest

from repjax.groups.linear import finite_field, linear_generators, linear_group_order
from repjax.groups.permutations import generate


@pytest.mark.parametrize("q", [2, 3, 4, 5, 7, 8, 9, 16, 25, 27, 49, 64, 81])
def test_fields(q):
    """Axioms, and a primitive element whose powers are all but 0."""
    field = finite_field(q)
    plus, times = field.plus, field.times
    x = np.arange(q)
    assert np.array_equal(plus, plus.T)
    assert np.array_equal(times, times.T)
    assert np.array_equal(plus[0], x)
    assert np.array_equal(times[1], x)
    assert np.array_equal(plus[plus], plus[:, plus])  # (x+y)+z = x+(y+z)
    assert np.array_equal(times[times], times[:, times])
    distributed = plus[times[:, :, None], times[:, None, :]]
    assert np.array_equal(times[:, plus], distributed)
    assert np.array_equal(np.sort(times[1:, 1:]), np.tile(x[1:], (q - 1, 1)))
    powers = {1}
    power = field.primitive
    while power not in powers:
        powers.add(int(power))
        power = times[power, field.primitive]
    assert len(powers) == q - 1
    repeated = 0
    for _ in range(field.prime):
        repeated = plus[repeated, 1]
    assert repeated == 0


@pytest.mark.parametrize("q", [6, 10, 12, 100])
def test_other_numbers_of_elements_are_refused(q):
    """Fields have a prime power of elements."""
    with pytest.raises(ValueError, match=f"{q} is not a prime power"):
        finite_field(q)


@pytest.mark.parametrize(
    ("kind", "dim", "q", "order"),
    [
        ("GL", 2, 3, 48),
        ("GL", 2, 4, 180),
        ("GL", 2, 5, 480),
        ("GL", 3, 2, 168),
        ("SL", 2, 5, 120),
        ("SL", 2, 8, 504),
        ("SL", 2, 9, 720),
        ("SL", 3, 2, 168),
        ("PGL", 2, 5, 120),
        ("PGL", 2, 9, 720),
        ("PSL", 2, 9, 360),
        ("PSL", 2, 11, 660),
        ("PSL", 3, 3, 5616),
        ("AGL", 1, 9, 72),
        ("AGL", 1, 16, 240),
        ("AGL", 2, 3, 432),
        ("AGL", 3, 2, 1344),
    ],
)
def test_orders(kind, dim, q, order):
    """By the formula and by counting what the generators give."""
    assert linear_group_order(kind, dim, q) == order
    elements, _ = generate(linear_generators(kind, dim, q), order)
    assert len(elements) == order
