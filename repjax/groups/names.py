"""Groups by name: the grammar of names, and the group that each stands for.

```text
product = term {"x" term}                     direct product: A5xC2, S3xS3
term    = power ["wr" power]                  wreath product: S3wrC2
power   = atom ["^" exponent]                 direct power: C2^3
atom    = "(" product ")" | a name below      Q8, SmallGroup(96,227), C7:C3, …
```
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from repjax.groups import families, suggestions
from repjax.groups.group import Group
from repjax.groups.group_files import SUFFIXES, is_group_file, read_group
from repjax.groups.library import LARGEST_ORDER, library_group
from repjax.groups.linear import LINEAR, linear_generators, linear_group_order
from repjax.groups.permutations import (
    Images,
    build_permutations,
    generate,
    images_of,
    parse_cycles,
    permutation_table,
)

MAX_DEGREE = 7  # the table of S7 takes 100 MB, that of S8 would take 6.5 GB
MAX_ORDER = 10_000  # a table of 400 MB

KNOWN = (
    f"C<n> (n <= {MAX_ORDER}), D<n> (3 <= n <= {MAX_ORDER // 2}), "
    f"S<n> and A<n> (n <= {MAX_DEGREE}), Q<n> (4 divides n >= 8), Dic<n> (n >= 2), "
    f"Heisenberg(n), C<m>:C<k> or C<m>:C<k>(action), {', '.join(LINEAR)}(d,q), M11, "
    f"SmallGroup(n,i) (n <= {LARGEST_ORDER}), products such as C2xC4, C2^3 or S3wrC2, "
    f"or a file ({', '.join(SUFFIXES)})"
)

_MATHIEU_11 = ("(0 1 2 3 4 5 6 7 8 9 10)", "(2 6 10 7)(3 9 4 5)")


@lru_cache(maxsize=2048)  # all groups of order up to 100, and others
def build_group(name: str) -> Group:
    """Return the group called `name`; a process reads a file once.

    Args:
        name: "C113", "A5xC2", "PSL(2,7)", "SmallGroup(21,1)" or another name of
            docs/groups.md, or the path of a multiplication table (.npy, .csv, .txt)
            or of generators (.perm).

    Raises:
        ValueError: `name` is not known, its group has more than 10,000 elements, or its
            file holds no group.
    """
    if is_group_file(name):
        path = Path(name)
        if name in _kept and not path.is_file():
            return _kept[name]
        return read_group(path, MAX_ORDER)
    group, rest = _parse_product(name, name)
    if rest:
        raise _unknown(name)
    return Group(name, group.table, group.family)


_kept: dict[str, Group] = {}


def keep_group(name: str, group: Group) -> None:
    """Let `build_group` return this group for the name of a file that is gone.

    Raises:
        ValueError: a group with another table is kept under this name.
    """
    kept = _kept.setdefault(name, group)
    if not np.array_equal(kept.table, group.table):
        raise ValueError(
            f"'{name}' was another group in other workdirs; read them one at a time"
        )


def display_name(name: str) -> str:
    """Return the name that tables and figures show: of a file its stem."""
    return Path(name).stem if is_group_file(name) else name


def folder_name(name: str) -> str:
    """Return a plain name for folders: "SmallGroup_21_1"; of a file its stem."""
    if is_group_file(name):
        return Path(name).stem
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def tidy(name: str) -> str:
    """Return a name without the blanks of "SmallGroup(21, 1)" or "C2 x C4"."""
    if is_group_file(name):
        return name
    name = re.sub(r"\s+(x|wr)\s+", r"\1", name)
    return re.sub(r"\s*([(),:^])\s*", r"\1", name)


def _parse_product(text: str, name: str) -> tuple[Group, str]:
    """Return the direct product at the start of `text`, and what follows it."""
    group, rest = _parse_term(text, name)
    while rest.startswith("x"):
        factor, rest = _parse_term(rest[1:], name)
        group = _direct_product(group, factor, name)
    return group, rest


def _parse_term(text: str, name: str) -> tuple[Group, str]:
    group, rest = _parse_power(text, name)
    if rest.startswith("wr"):
        acting, rest = _parse_power(rest[2:], name)
        group = _wreath_product(group, acting, name)
    return group, rest


def _parse_power(text: str, name: str) -> tuple[Group, str]:
    group, rest = _parse_atom(text, name)
    if match := re.match(r"\^([1-9][0-9]{0,3})", rest):
        base, rest = group, rest[match.end() :]
        _check_order(base.order ** int(match[1]), name)
        for _ in range(int(match[1]) - 1 if base.order > 1 else 0):
            group = _direct_product(group, base, name)
    return group, rest


def _parse_atom(text: str, name: str) -> tuple[Group, str]:
    if text.startswith("("):
        group, rest = _parse_product(text[1:], name)
        if not rest.startswith(")"):
            raise _unknown(name)
        return group, rest[1:]
    for pattern, build in _ATOMS.items():
        if match := re.match(pattern, text, re.ASCII):
            numbers = [int(number) for number in match.groups() if number]
            try:
                atom = build(match[0], *numbers)
            except ValueError as error:
                raise ValueError(f"'{name}': {error}") from None
            if atom is not None:
                return atom, text[match.end() :]
    raise _unknown(name)


def _family(letter: str, table: Callable, at_least: int) -> Callable[..., Group | None]:
    """Return a builder of C_n or D_n."""
    largest = MAX_ORDER if letter == "C" else MAX_ORDER // 2

    def build(name: str, n: int) -> Group | None:
        return Group(name, table(n), (letter, n)) if at_least <= n <= largest else None

    return build


def _permutations(name: str, degree: int) -> Group | None:
    """Return S_n or A_n."""
    if degree > MAX_DEGREE:
        return None
    elements = build_permutations(degree, even=name[0] == "A")
    return Group(name, permutation_table(elements), (name[0], degree))


def _quaternion(name: str, order: int) -> Group | None:
    return _dicyclic(name, order // 4) if order % 4 == 0 else None


def _dicyclic(name: str, n: int) -> Group | None:
    if not 2 <= n <= MAX_ORDER // 4:
        return None
    return Group(name, families.dicyclic_table(n))


def _heisenberg(name: str, n: int) -> Group:
    if n < 2:
        raise ValueError("n is at least 2")
    _check_order(n**3)
    return Group(name, families.heisenberg_table(n))


def _metacyclic(name: str, m: int, k: int, action: int | None = None) -> Group:
    """Return C_m:C_k; without an action the faithful one, or the only one."""
    _check_order(m * k)
    actions = families.metacyclic_actions(m, k)
    plain = f"C{m}:C{k}"
    if not actions:
        raise ValueError(f"C{k} has only the trivial action on C{m}; use C{m}xC{k}")
    if action is None:
        faithful = [unit for unit, order in actions.items() if order == k]
        candidates = faithful or [*actions]
        if len(candidates) > 1:
            raise ValueError(f"it has several actions; use {_listed(plain, actions)}")
        action = candidates[0]
    elif action < 2 or action >= m or pow(action, k, m) != 1:
        raise ValueError(f"{action} is no action; use {_listed(plain, actions)}")
    return Group(name, families.metacyclic_table(m, k, action))


def _listed(name: str, actions: dict[int, int]) -> str:
    """Return "C8:C2(3), C8:C2(5) or C8:C2(7)"."""
    *others, last = [f"{name}({unit})" for unit in actions]
    return f"{', '.join(others)} or {last}" if others else last


def _linear(kind: str, name: str, dim: int, q: int) -> Group:
    least = 1 if kind == "AGL" else 2
    if not (least <= dim <= 9 and 2 <= q <= MAX_ORDER):
        raise ValueError(f"use a dimension from {least} and a prime power q")
    _check_order(linear_group_order(kind, dim, q))
    return Group(name, generate(linear_generators(kind, dim, q), MAX_ORDER)[1])


def _mathieu(name: str) -> Group:
    generators = images_of([parse_cycles(text) for text in _MATHIEU_11])
    return Group(name, generate(generators, MAX_ORDER)[1])


def _small_group(name: str, order: int, number: int) -> Group:
    return Group(name, library_group(order, number).table)


_N = "([1-9][0-9]{0,5})"
_Builder = Callable[..., Group | None]
_LINEAR: dict[str, _Builder] = {
    rf"{kind}\({_N},{_N}\)": partial(_linear, kind) for kind in LINEAR
}
_ATOMS: dict[str, _Builder] = {
    rf"C{_N}:C{_N}(?:\({_N}\))?": _metacyclic,
    f"C{_N}": _family("C", families.cyclic_table, 1),
    f"Dic{_N}": _dicyclic,
    f"D{_N}": _family("D", families.dihedral_table, 3),
    f"[SA]{_N}": _permutations,
    f"Q{_N}": _quaternion,
    rf"Heisenberg\({_N}\)": _heisenberg,
    rf"SmallGroup\({_N},{_N}\)": _small_group,
    "M11": _mathieu,
    **_LINEAR,
}
"""Pattern of a name → builder, given the name and its numbers; None: no such group."""


def _direct_product(first: Group, second: Group, name: str) -> Group:
    _check_order(first.order * second.order, name)
    return Group(name, families.product_table(first.table, second.table))


def _wreath_product(base: Group, acting: Group, name: str) -> Group:
    """Return the wreath product, imprimitive on copies of the base group.

    C_n, D_n, S_n and A_n permute n copies.
    """
    if acting.family is None:
        raise ValueError(f"'{name}': C<n>, D<n>, S<n> or A<n> stands after wr")
    family, copies = acting.family
    if base.order > 1 and copies > 13:
        raise _too_large(f"{base.order}^{copies}·{acting.order}", name)
    order = base.order**copies * acting.order
    _check_order(order, name)
    points = np.arange(copies * base.order, dtype=np.int32).reshape(copies, base.order)
    generators = [points[images].ravel() for images in _natural_action(family, copies)]
    for s in base.generators:  # right translation of the first copy
        generators.append(np.concatenate([base.table[:, s], points[1:].ravel()]))
    images = np.array(generators or [points.ravel()], np.int32)
    return Group(name, generate(images, order)[1])


def _natural_action(family: str, degree: int) -> Images:
    """Return generators of C_n, D_n, S_n or A_n on n points."""
    if family in "SA":
        return build_permutations(min(degree, MAX_DEGREE), even=family == "A")
    turn = (np.arange(degree) + 1) % degree
    return np.array([turn, turn[::-1]] if family == "D" else [turn], np.int32)


def _check_order(order: int, name: str = "") -> None:
    if order > MAX_ORDER:
        raise _too_large(str(order), name)


def _too_large(order: str, name: str) -> ValueError:
    of = f"'{name}': " if name else ""
    return ValueError(f"{of}order {order} is too large; use at most {MAX_ORDER}")


def _unknown(name: str) -> ValueError:
    return ValueError(f"'{name}' is not a known group; {_hint(name)}")


def _hint(name: str) -> str:
    """Return what was probably meant, or every name that is allowed."""
    if file := suggestions.file_of(name):
        return f"did you mean {file}?"
    meant = suggestions.respelled(name)
    if meant != name and suggestions.respelled(meant) == meant:
        try:
            return f"did you mean {build_group(meant).name}?"
        except ValueError as error:
            if "not a known group" not in str(error):
                return f"did you mean {meant}? {error}"
    return suggestions.reason(meant, MAX_ORDER, MAX_DEGREE) or f"use {KNOWN}"
