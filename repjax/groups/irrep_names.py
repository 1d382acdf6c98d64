"""Names of irreps, from their characters."""

from collections import Counter
from string import ascii_lowercase

import numpy as np
from jaxtyping import Float

from repjax.groups.group import Group
from repjax.groups.permutations import build_permutations
from repjax.groups.signatures import signature


def order_and_name(
    group: Group, characters: Float[np.ndarray, "irrep group"]
) -> list[tuple[int, str]]:
    """Return the positions of the irreps in their final order, each with its name.

    The irreps of C_n and D_n come in the order of their names. Elsewhere they go by
    dimension, named ones first, then by `signature`. Irreps that share these are
    exchanged by an automorphism in every group of order up to 100, so no order of
    theirs can be canonical: the larger character first, element by element.
    """
    family = _family_characters(group)
    # Σ χ·reference is positive for the irrep with this character and 0 for the others
    matches = (np.stack(list(family.values())) @ characters.T).argmax(axis=1)
    names = dict(zip(matches.tolist(), family, strict=True))
    others = [k for k in range(len(characters)) if k not in names]
    dims = np.rint(characters[:, group.identity]).astype(int).tolist()
    falling = np.round(-characters, 6).tolist()
    signatures = {k: signature(group, characters[k]) for k in others}
    others.sort(key=lambda k: (dims[k], signatures[k], falling[k]))
    labels = name_by_dimension([dims[k] for k in others])
    if group.family == ("A", 5):  # the published runs call its 5d "5d_a"
        labels = ["5d_a" if label == "5d" else label for label in labels]
    order = [*names, *others]
    if others:
        order.sort(key=dims.__getitem__)
    names |= zip(others, labels, strict=True)
    return [(k, names[k]) for k in order]


def name_by_dimension(dims: list[int]) -> list[str]:
    """Names {d}d, or {d}d_a, {d}d_b, … where several share a dimension."""
    totals, seen = Counter(dims), Counter[int]()
    names = []
    for dim in dims:
        names.append(f"{dim}d_{letters(seen[dim])}" if totals[dim] > 1 else f"{dim}d")
        seen[dim] += 1
    return names


def letters(k: int) -> str:
    """Return the k-th of a, b, …, z, aa, ab, …, as spreadsheets count columns."""
    prefix, last = divmod(k, len(ascii_lowercase))
    return (letters(prefix - 1) if prefix else "") + ascii_lowercase[last]


def _family_characters(group: Group) -> dict[str, Float[np.ndarray, " group"]]:
    """Characters, up to a factor, of irreps named by the family: in C_n and D_n all."""
    characters = {"trivial": np.ones(group.order)}
    if group.family is None:
        return characters
    family, degree = group.family
    if family == "C":
        return characters | _frequencies(degree)
    if family == "D":
        rotations = np.repeat([1.0, 0.0], degree)
        sign = np.repeat([1.0, -1.0], degree)
        characters["sign"] = sign
        frequencies = _frequencies(degree)
        if degree % 2 == 0:
            alternating = np.tile(frequencies.pop(f"freq_{degree // 2}"), 2)
            characters[f"freq_{degree // 2}_a"] = alternating
            characters[f"freq_{degree // 2}_b"] = alternating * sign
        return characters | {
            name: np.tile(chi, 2) * rotations for name, chi in frequencies.items()
        }
    fixed_points = build_permutations(degree, even=True) == np.arange(degree)
    if degree >= 4:
        characters["standard"] = fixed_points.sum(axis=1) - 1.0
    return characters


def _frequencies(n: int) -> dict[str, Float[np.ndarray, " group"]]:
    """cos(2πkg/n): up to a factor the characters of C_n but for the trivial one."""
    g = np.arange(n)
    return {
        f"freq_{k}": np.cos(2 * np.pi * (k * g % n) / n) for k in range(1, n // 2 + 1)
    }
