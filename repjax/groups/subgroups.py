"""All subgroups of a finite group, their conjugacy classes and their cosets."""

import hashlib
import io
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from repjax.groups.group import Group

# S7 has 11,300 subgroups, and no dihedral group up to order 10,000 has more than D4680,
# with 16,428. The limit refuses C2^7 with 29,212, and C2^8 with 417,199.
MAX_SUBGROUPS = 20_000
# Seconds. S7 takes 0.5 and D4680 takes 5, of which 0.3 are left with a stored result.
WORTH_STORING = 1.0
STORED_AS = "subgroups-v1-{digest}.npz"  # change the version with the arrays


class TooManySubgroups(ValueError):
    """The group has more than `MAX_SUBGROUPS` subgroups."""


@dataclass(frozen=True, eq=False)
class Subgroups:
    """All subgroups of a group, from the trivial subgroup to the group itself.

    Sorted by order; those of one order are sorted by their elements, as lists of
    ascending indices. The arrays are read-only.

    Attributes:
        members: members[k, g] says whether element g lies in subgroup k.
        orders: number of elements of each subgroup.
        class_of: index of the conjugacy class of each subgroup. Classes are numbered
            in the order of their first subgroups.
        is_normal: whether each subgroup is normal, that is, alone in its class.
    """

    members: Bool[np.ndarray, "subgroup group"]
    orders: Int[np.ndarray, " subgroup"]
    class_of: Int[np.ndarray, " subgroup"]
    is_normal: Bool[np.ndarray, " subgroup"]

    def __post_init__(self) -> None:
        """Protects the arrays: they are cached and shared."""
        for array in (self.members, self.orders, self.class_of, self.is_normal):
            array.flags.writeable = False


@lru_cache(maxsize=32)
def subgroups(group: Group) -> Subgroups:
    """Return all subgroups of a group.

    A result that took more than a second to compute is kept on disk, in $REPJAX_CACHE
    or else ~/.cache/repjax, and read from there next time. It is computed again if the
    file is missing or damaged, and is simply not kept if the file cannot be written.

    Raises:
        TooManySubgroups: there are more than `MAX_SUBGROUPS`.
    """
    stored = _read_stored(group)
    if stored is not None:
        return stored
    start = time.perf_counter()
    found = _find_subgroups(group)
    if time.perf_counter() - start > WORTH_STORING:
        _store(group, found)
    return found


def left_cosets(
    group: Group, members: Bool[np.ndarray, " group"]
) -> Int[np.ndarray, " group"]:
    """Return the index of the left coset gH of each element g.

    Cosets are numbered by their smallest elements.
    """
    return _number_cosets(group.table, members)


def right_cosets(
    group: Group, members: Bool[np.ndarray, " group"]
) -> Int[np.ndarray, " group"]:
    """Return the index of the right coset Hg of each element g.

    Cosets are numbered by their smallest elements.
    """
    return _number_cosets(group.table.T, members)


def _number_cosets(
    table: Int[np.ndarray, "group group"], members: Bool[np.ndarray, " group"]
) -> Int[np.ndarray, " group"]:
    """Index of the coset {table[g, h]: h in H} of each element g."""
    subgroup = np.flatnonzero(members)
    cosets = np.full(len(table), -1, np.int32)
    num_cosets = 0
    for element in range(len(table)):
        if cosets[element] < 0:
            cosets[table[element, subgroup]] = num_cosets
            num_cosets += 1
    return cosets


def _find_subgroups(group: Group) -> Subgroups:
    """All subgroups, by cyclic extension (Neubüser 1960).

    Every subgroup K ≠ 1 is ⟨M, z⟩ for a maximal subgroup M of K and an element z of
    prime-power order, because such elements generate K. Up to conjugacy, M is the
    representative of its class: joining the representatives with the cyclic subgroups
    of prime-power order finds every class.
    """
    cyclic = _prime_power_generators(group)
    trivial = np.arange(group.order) == group.identity
    representatives: list[tuple[np.ndarray, tuple[int, ...]]] = [(trivial, ())]
    class_of_bits = {np.packbits(trivial).tobytes(): 0}
    for members, generators in representatives:  # grows during the loop
        for z, join in _joins(group, members, generators, cyclic):
            if np.packbits(join).tobytes() in class_of_bits:
                continue
            conjugates = _conjugates(group, join, (*generators, z))
            for row in np.packbits(conjugates, axis=1):
                class_of_bits[row.tobytes()] = len(representatives)
            if len(class_of_bits) > MAX_SUBGROUPS:
                raise TooManySubgroups(
                    f"'{group.name}' has more than {MAX_SUBGROUPS:,} subgroups, the "
                    "limit; choose a group with fewer, or raise MAX_SUBGROUPS in "
                    "repjax/groups/subgroups.py"
                )
            representatives.append((join, (*generators, z)))
    in_order = sorted(class_of_bits, key=_order_and_elements)
    packed = np.frombuffer(b"".join(in_order), np.uint8).reshape(len(in_order), -1)
    return _assemble(group, packed, np.array([class_of_bits[row] for row in in_order]))


def _joins(
    group: Group,
    members: Bool[np.ndarray, " group"],
    generators: tuple[int, ...],
    cyclic: Bool[np.ndarray, " group"],
) -> Iterator[tuple[int, Bool[np.ndarray, " group"]]]:
    """Elements z and the joins ⟨H, z⟩: up to conjugacy, all with a z in `cyclic`.

    All z of one coset zH give the same join, and the cosets that the normaliser of H
    conjugates into each other give conjugate joins. One z for each orbit is enough.
    """
    table = group.table
    cosets = left_cosets(group, members)
    firsts = np.unique(cosets, return_index=True)[1]
    normaliser = np.flatnonzero(_normaliser(group, members, generators))
    inverses = group.inverse[normaliser]
    moves = [cosets[table[s, firsts]] for s in generators]
    pending = np.zeros(len(firsts), bool)
    pending[cosets[cyclic]] = True
    pending[cosets[group.identity]] = False
    while pending.any():
        z = int(firsts[pending.argmax()])
        pending[cosets[table[table[normaliser, z], inverses]]] = False
        yield z, _join(group, cosets, firsts, [*moves, cosets[table[z, firsts]]])


def _join(
    group: Group,
    cosets: Int[np.ndarray, " group"],
    firsts: Int[np.ndarray, " coset"],
    moves: list[Int[np.ndarray, " coset"]],
) -> Bool[np.ndarray, " group"]:
    """Subgroup generated by H and another element: the orbit of the coset H.

    Args:
        group: the group.
        cosets: index of the coset gH of each element g.
        firsts: one element of each coset.
        moves: permutation of the cosets by each generator, acting from the left.
    """
    reached = np.arange(len(firsts)) == cosets[group.identity]
    while True:
        before = reached.copy()
        for move in moves:
            reached |= reached[move]
        new = reached ^ before
        if not new.any():
            return reached[cosets]
        # A step as long as the way so far: D500 needs 16 rounds, not 251.
        farthest = firsts[new.argmax()]
        reached |= reached[cosets[group.table[farthest, firsts]]]


def _normaliser(
    group: Group, members: Bool[np.ndarray, " group"], generators: tuple[int, ...]
) -> Bool[np.ndarray, " group"]:
    """Elements g with gHg⁻¹ = H, where the generators generate H."""
    conjugates = group.table[group.table[:, generators], group.inverse[:, None]]
    return members[conjugates].all(axis=1)


def _conjugates(
    group: Group, members: Bool[np.ndarray, " group"], generators: tuple[int, ...]
) -> Bool[np.ndarray, "conjugate group"]:
    """All different gHg⁻¹: one for each left coset of the normaliser."""
    cosets = left_cosets(group, _normaliser(group, members, generators))
    g = np.unique(cosets, return_index=True)[1][:, None]
    images = group.table[group.table[g, np.flatnonzero(members)], group.inverse[g]]
    conjugates = np.zeros((len(g), group.order), bool)
    np.put_along_axis(conjugates, images, True, axis=1)
    return conjugates


def _prime_power_generators(group: Group) -> Bool[np.ndarray, " group"]:
    """The smallest generator of each cyclic subgroup of prime-power order."""
    orders = group.element_orders
    pending = np.isin(orders, [q for q in set(orders.tolist()) if _is_prime_power(q)])
    smallest = np.zeros(group.order, bool)
    for element in np.flatnonzero(pending):
        if pending[element]:
            smallest[element] = True
            powers = [element]
            while powers[-1] != group.identity:
                powers.append(group.table[powers[-1], element])
            same_order = orders[powers] == orders[element]
            pending[np.array(powers)[same_order]] = False
    return smallest


def _is_prime_power(number: int) -> bool:
    """Return whether a number is p^k for a prime p, with k >= 1."""
    prime = next((p for p in range(2, number + 1) if number % p == 0), None)
    return prime is not None and pow(prime, number, number) == 0


def _order_and_elements(bits: bytes) -> tuple[int, int]:
    """Key that sorts subgroups by order, then by their elements."""
    number = int.from_bytes(bits, "big")  # larger where the first elements are smaller
    return number.bit_count(), -number


def _assemble(group: Group, packed: np.ndarray, labels: np.ndarray) -> Subgroups:
    """The result, from sorted bits and any labels of the classes."""
    members = np.unpackbits(packed, axis=1, count=group.order).astype(bool)
    _, firsts, numbers = np.unique(labels, return_index=True, return_inverse=True)
    class_of = firsts.argsort().argsort().astype(np.int32)[numbers]
    return Subgroups(
        members=members,
        orders=members.sum(axis=1, dtype=np.int32),
        class_of=class_of,
        is_normal=np.bincount(class_of)[class_of] == 1,
    )


def _stored_file(group: Group) -> Path:
    """Where the subgroups of a group with this table are stored."""
    table = np.ascontiguousarray(group.table, "<i4")
    name = STORED_AS.format(digest=hashlib.sha256(table.data).hexdigest())
    if directory := os.environ.get("REPJAX_CACHE"):
        return Path(directory) / name
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "repjax" / name


def _read_stored(group: Group) -> Subgroups | None:
    """The stored result; None if there is none that can be used."""
    try:
        # From memory: np.load leaves a damaged archive open.
        content = io.BytesIO(_stored_file(group).read_bytes())
        with np.load(content) as file:
            packed, labels = file["packed"], file["class_of"]
            shape = (len(labels), -(-group.order // 8))
            if packed.shape != shape or len(labels) > MAX_SUBGROUPS:
                return None
            return _assemble(group, packed, labels)
    except Exception:  # a damaged archive can raise almost anything
        return None


def _store(group: Group, found: Subgroups) -> None:
    """Writes a result to its file, by way of a temporary file beside it."""
    packed = np.packbits(found.members, axis=1)
    content = io.BytesIO()
    np.savez_compressed(content, packed=packed, class_of=found.class_of)
    with suppress(OSError, RuntimeError):  # a full or read-only disk, or no home
        file = _stored_file(group)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.{uuid.uuid4().hex}.tmp")
        try:
            beside.write_bytes(content.getvalue())
            os.replace(beside, file)
        finally:
            beside.unlink(missing_ok=True)
