"""The Small Groups Library up to order 100: every group, numbered as in GAP."""

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from repjax.groups.group import Group
from repjax.groups.permutations import generate, images_of, parse_cycles

LARGEST_ORDER = 100


@dataclass(frozen=True)
class Entry:
    """One group of the library.

    Attributes:
        order: number of its elements.
        number: its place among the groups of its order, from 1.
        structure: what GAP calls it, such as "C7:C3", in this project's names: D<n> is
            the dihedral group of order 2n. It need not tell groups apart.
        generators: permutations that generate it, in cycle notation.
    """

    order: int
    number: int
    structure: str
    generators: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name under which `build_group` knows it."""
        return f"SmallGroup({self.order},{self.number})"


@lru_cache
def small_groups() -> dict[int, tuple[Entry, ...]]:
    """Return the entries by order, in each order by number.

    Besche, Eick and O'Brien, "A millennium project: constructing small groups", 2002;
    `small_groups.txt` beside this file was written with GAP.
    """
    entries: dict[int, list[Entry]] = {}
    text = files("repjax.groups").joinpath("small_groups.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            order, number, structure, generators = line.split("|")
            entry = Entry(
                int(order),
                int(number),
                _in_our_names(structure),
                tuple(generators.split(", ")),
            )
            entries.setdefault(entry.order, []).append(entry)
    return {order: tuple(found) for order, found in entries.items()}


def find_entry(order: int, number: int) -> Entry:
    """Return the entry of SmallGroup(order, number).

    Raises:
        ValueError: the library has no such group; the message says what it has.
    """
    entries = small_groups().get(order, ())
    if not 1 <= number <= len(entries):
        has = (
            f"order {order} has SmallGroup({order},1) to "
            f"SmallGroup({order},{len(entries)})"
            if entries
            else f"use an order from 1 to {LARGEST_ORDER}"
        )
        raise ValueError(f"SmallGroup({order},{number}) is not in the library; {has}")
    return entries[number - 1]


@lru_cache(maxsize=512)
def library_group(order: int, number: int) -> Group:
    """Return SmallGroup(order, number), its elements in the order of `generate`.

    Raises:
        ValueError: the library has no such group.
    """
    entry = find_entry(order, number)
    generators = images_of([parse_cycles(text) for text in entry.generators])
    return Group(entry.name, generate(generators, order)[1])


def is_library_name(name: str) -> bool:
    """Return whether a name is of the form "SmallGroup(16,3)", and no product."""
    return re.fullmatch(r"SmallGroup\([0-9]+,[0-9]+\)", name) is not None


def structure_of(name: str) -> str | None:
    """Return the structure of the group called "SmallGroup(16,3)"; None of others."""
    match = re.fullmatch(r"SmallGroup\(([0-9]+),([0-9]+)\)", name)
    entries = small_groups().get(int(match[1]), ()) if match else ()
    return next((entry.structure for entry in entries if entry.name == name), None)


def _in_our_names(structure: str) -> str:
    """Return GAP's description as names go here: D<2n> is D<n>, "C2 x C2" "C2xC2"."""
    halved = re.sub(r"\bD(\d+)", lambda match: f"D{int(match[1]) // 2}", structure)
    return halved.replace(" ", "")
