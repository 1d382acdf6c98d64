"""Multiplication tables of families of groups that a formula gives."""

from math import gcd

import numpy as np
from jaxtyping import Int

Table = Int[np.ndarray, "group group"]


def cyclic_table(n: int) -> Table:
    """Return the table of C_n: element k is the k-th power of the generator."""
    k = np.arange(n, dtype=np.int32)
    return (k[:, None] + k) % n


def dihedral_table(n: int) -> Table:
    """Return the table of D_n, of order 2n: r^k at k, r^k s at n + k, s r = r⁻¹ s."""
    reflected, power = np.divmod(np.arange(2 * n, dtype=np.int32), n)
    sign = 1 - 2 * reflected
    rotation = (power[:, None] + sign[:, None] * power) % n
    return rotation + n * (reflected[:, None] ^ reflected)


def dicyclic_table(n: int) -> Table:
    """Return the table of Dic_n, of order 4n: r^k at k, r^k s at 2n + k.

    The relations are r^2n = 1, s² = r^n and s r = r⁻¹ s.
    """
    outside, power = np.divmod(np.arange(4 * n, dtype=np.int32), 2 * n)
    sign = 1 - 2 * outside
    power_of_square = n * (outside[:, None] & outside)
    rotation = (power[:, None] + sign[:, None] * power + power_of_square) % (2 * n)
    return rotation + 2 * n * (outside[:, None] ^ outside)


def metacyclic_table(m: int, k: int, action: int) -> Table:
    """Return the table of C_m:C_k, of order mk: r^i s^j at i + mj, s r s⁻¹ = r^action.

    Args:
        m: order of the normal subgroup.
        k: order of the group that acts on it.
        action: a number with action^k = 1 modulo m.
    """
    j, i = np.divmod(np.arange(m * k, dtype=np.int64), m)
    multiplier = np.array([pow(action, int(power), m) for power in range(k)])[j]
    first = (i[:, None] + multiplier[:, None] * i) % m
    return (first + m * ((j[:, None] + j) % k)).astype(np.int32)


def metacyclic_actions(m: int, k: int) -> dict[int, int]:
    """Return the non-trivial actions of C_k on C_m, as {multiplier: order}.

    One for each cyclic subgroup of the units modulo m, by its least generator: others
    with the same powers give the same group.
    """
    actions: dict[int, int] = {}
    seen: set[frozenset[int]] = set()
    for unit in range(2, m):
        if gcd(unit, m) == 1 and pow(unit, k, m) == 1:
            powers = frozenset(pow(unit, power, m) for power in range(k))
            if powers not in seen:
                seen.add(powers)
                actions[unit] = len(powers)
    return actions


def heisenberg_table(n: int) -> Table:
    """Return the table of upper unitriangular 3 × 3 matrices over Z_n, of order n³.

    The matrix with a, b above the diagonal and c in the corner is at (a·n + b)·n + c.
    """
    rest, c = np.divmod(np.arange(n**3, dtype=np.int32), n)
    a, b = np.divmod(rest, n)
    corner = (c[:, None] + c + a[:, None] * b) % n
    return (((a[:, None] + a) % n * n) + (b[:, None] + b) % n) * n + corner


def product_table(
    first: Int[np.ndarray, "first first"], second: Int[np.ndarray, "second second"]
) -> Table:
    """Return the table of the direct product: (g, h) at g·|second| + h."""
    n = len(second)
    both = first[:, None, :, None] * n + second[None, :, None, :]
    return both.reshape(len(first) * n, -1)
