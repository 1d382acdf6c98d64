"""Groups by name: cyclic, dihedral, symmetric, alternating, or from a table file."""

import re
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import numpy as np
from jaxtyping import Int

from repjax.groups.group import Group

MAX_DEGREE = 7  # the table of S7 takes 100 MB, that of S8 would take 6.5 GB
MAX_ORDER = 10_000  # of C<n> and D<n>; a table of 400 MB
TABLE_SUFFIXES = (".npy", ".csv", ".txt")


@lru_cache(maxsize=32)
def build_group(name: str) -> Group:
    """The group called `name`; a process reads a table file once.

    Args:
        name: "C113", "D59", "S5", "A5", or the path of a multiplication table that
            ends in .npy, .csv or .txt.

    Raises:
        ValueError: `name` is not known, or its file holds no group table.
    """
    if Path(name).suffix in TABLE_SUFFIXES:
        return Group.from_table(Path(name).stem, _read_table(Path(name)))
    match = re.fullmatch(r"([CDSA])([1-9][0-9]{0,5})", name)
    if match:
        family, degree = match[1], int(match[2])
        if family == "C" and degree <= MAX_ORDER:
            return Group(name, _cyclic_table(degree), (family, degree))
        if family == "D" and 3 <= degree <= MAX_ORDER // 2:
            return Group(name, _dihedral_table(degree), (family, degree))
        if family in "SA" and degree <= MAX_DEGREE:
            elements = build_permutations(degree, even=family == "A")
            return Group(name, _permutation_table(elements), (family, degree))
    raise ValueError(
        f"'{name}' is not a known group; use C<n> (n <= {MAX_ORDER}), "
        f"D<n> (3 <= n <= {MAX_ORDER // 2}), S<n> (n <= {MAX_DEGREE}), "
        f"A<n> (n <= {MAX_DEGREE}), "
        f"or a table file ({', '.join(TABLE_SUFFIXES)})"
    )


def build_permutations(
    degree: int, *, even: bool = False
) -> Int[np.ndarray, "group degree"]:
    """All (or all even) permutations of 0, …, degree-1 in lexicographic order.

    Row g lists the images g(0), g(1), …; the identity is row 0.
    """
    images = np.array(list(permutations(range(degree))), np.int32)
    if not even:
        return images
    inversions = np.triu(images[:, :, None] > images[:, None, :]).sum(axis=(1, 2))
    return images[inversions % 2 == 0]


def _cyclic_table(n: int) -> Int[np.ndarray, "group group"]:
    """C_n: element k is the k-th power of the generator."""
    k = np.arange(n, dtype=np.int32)
    return (k[:, None] + k) % n


def _dihedral_table(n: int) -> Int[np.ndarray, "group group"]:
    """D_n of order 2n: r^k at k, r^k s at n + k, with s r = r⁻¹ s."""
    reflected, power = np.divmod(np.arange(2 * n, dtype=np.int32), n)
    sign = 1 - 2 * reflected
    rotation = (power[:, None] + sign[:, None] * power) % n
    return rotation + n * (reflected[:, None] ^ reflected)


def _permutation_table(
    images: Int[np.ndarray, "group degree"],
) -> Int[np.ndarray, "group group"]:
    """The product xy applies x first: (xy)(i) = y(x(i)).

    A permutation is coded by its images as digits; the code of xy is linear in the
    images of y, so one product of small matrices gives all codes (exact in float64).
    """
    degree = images.shape[1]
    digits = degree ** np.arange(degree)
    index_of_code = np.zeros(degree**degree, np.int32)
    index_of_code[images @ digits] = np.arange(len(images))
    digits_of_x = digits[np.argsort(images, axis=1)].astype(np.float64)
    codes = digits_of_x @ images.T.astype(np.float64)
    return index_of_code[codes.astype(np.int32)]


def _read_table(path: Path) -> np.ndarray:
    """The array in a table file, unchecked; text may use commas or blanks."""
    if not path.is_file():
        raise ValueError(f"'{path}' is not a file")
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file:  # np.load would also open archives
                return np.lib.format.read_array(file, allow_pickle=False)
        text = path.read_text(encoding="utf-8-sig").replace(",", " ")
        if not text.strip():
            raise ValueError("it is empty")
        return np.loadtxt(text.splitlines(), dtype=np.int64, ndmin=2)
    except (ValueError, OSError, EOFError, MemoryError, OverflowError) as error:
        reason = (
            (str(error).splitlines() or [type(error).__name__])[0]
            .split(";")[0]
            .rstrip(".")
        )
        raise ValueError(f"'{path}' is not a table of integers: {reason}") from None
