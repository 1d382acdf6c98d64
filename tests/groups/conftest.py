"""Multiplication tables of groups that have no name in repjax."""

from itertools import product

import numpy as np
import pytest


@pytest.fixture(scope="session")
def quaternion_table() -> np.ndarray:
    """Q8 as 1, -1, i, -i, j, -j, k, -k, from ij = k and its cyclic shifts."""
    units = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
    negative = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 1]])
    unit, sign = np.divmod(np.arange(8), 2)
    product_sign = sign[:, None] ^ sign ^ negative[unit[:, None], unit]
    return 2 * units[unit[:, None], unit] + product_sign


@pytest.fixture(scope="session")
def sl23_table() -> np.ndarray:
    """SL(2, 3): the 24 matrices of determinant 1 over the field of 3 elements."""
    matrices = [
        np.reshape(entries, (2, 2))
        for entries in product(range(3), repeat=4)
        if (entries[0] * entries[3] - entries[1] * entries[2]) % 3 == 1
    ]
    index = {matrix.tobytes(): i for i, matrix in enumerate(matrices)}
    return np.array(
        [[index[(a @ b % 3).tobytes()] for b in matrices] for a in matrices]
    )
