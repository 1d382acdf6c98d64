"""Say what is known of groups.

repjax groups NAME… [--irreps] [--subgroups] [--json] [--table=FILE]
repjax groups --list=ORDER [--json]

A NAME is any that --config.groups takes: S5, SmallGroup(21,1), A5xC2, C7:C3, a file.
Quote names with brackets: the shell has its own use for these.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from tabulate import tabulate

from repjax import command_line
from repjax.groups.characters import character_table
from repjax.groups.facts import LARGEST_COMPUTED, describe
from repjax.groups.group import Group
from repjax.groups.identify import LARGEST_COMPARED, identify
from repjax.groups.irrep_names import letters
from repjax.groups.irreps import real_irreps
from repjax.groups.library import LARGEST_ORDER, library_group, small_groups
from repjax.groups.names import build_group
from repjax.groups.subgroups import TooManySubgroups, subgroups
from repjax.settings.rules import ConfigError
from repjax.storage.files import write_atomically

NOT_COMPUTED = f"not computed above order {LARGEST_COMPUTED:,}; --irreps does"

_LEGEND = """\
kernel: elements that act as the identity; 1: faithful
orbit: irreps with the same number are taken to each other by automorphisms"""

_FLAGS = flags.FlagValues()
_IRREPS = flags.DEFINE_bool(
    "irreps",
    False,
    "Also real characters and the complex character table; above order "
    f"{LARGEST_COMPUTED:,} also irreps and automorphisms, which takes minutes.",
    flag_values=_FLAGS,
)
_SUBGROUPS = flags.DEFINE_bool(
    "subgroups", False, "Also all subgroups, by conjugacy class.", flag_values=_FLAGS
)
_TABLE = flags.DEFINE_string(
    "table",
    None,
    "File that gets the multiplication table: .csv, .txt or .npy.",
    flag_values=_FLAGS,
)
_JSON = flags.DEFINE_bool(
    "json", False, "Print everything as JSON, a list of groups.", flag_values=_FLAGS
)
_LIST = flags.DEFINE_integer(
    "list", None, "List all groups of this order instead.", flag_values=_FLAGS
)


def main(names: Sequence[str]) -> None:
    """Print facts of the groups named, or list the groups of an order."""
    if _LIST.value is not None:
        if names:
            raise ConfigError(f"--list: stands alone; leave out {names[0]}")
        _print_list(_LIST.value)
        return
    if not names:
        raise ConfigError("NAME: missing; name one or more groups, or use --list=ORDER")
    groups = [_build(name) for name in names]
    if _TABLE.value is not None:
        if len(groups) > 1:
            raise ConfigError("--table: takes one group; call once for each")
        _save_table(groups[0], Path(_TABLE.value))
    found = [_everything(group) for group in groups]
    if _JSON.value:
        print(json.dumps(found, indent=1))
        return
    for k, (group, facts) in enumerate(zip(groups, found, strict=True)):
        print("\n" * (k > 0) + "\n".join(_in_words(group, facts)))


def _build(name: str) -> Group:
    try:
        return build_group(name)
    except ValueError as error:
        raise ConfigError(f"NAME: {error}") from None


def _everything(group: Group) -> dict[str, Any]:
    """Return the facts of a group and whatever flags ask for, as JSON has them."""
    facts = json.loads(json.dumps(dataclasses.asdict(describe(group, _IRREPS.value))))
    absent = ("num_automorphisms", "irreps")
    facts["not_computed"] = [key for key in absent if facts[key] is None]
    if _IRREPS.value:
        facts["real_characters"] = {
            irrep.name: irrep.character[group.class_representatives].tolist()
            for irrep in real_irreps(group)
        }
        table = character_table(group)
        facts["character_table"] = [
            {
                "degree": int(degree),
                "indicator": int(indicator),
                "real": values.real.tolist(),
                "imaginary": values.imag.tolist(),
            }
            for degree, indicator, values in zip(
                table.degrees, table.indicators, table.values, strict=True
            )
        ]
    if _SUBGROUPS.value:
        try:
            facts["subgroups"] = [*_subgroup_classes(group)]
        except TooManySubgroups as error:
            raise ConfigError(f"--subgroups: {error}") from None
    return facts


def _subgroup_classes(group: Group) -> Iterator[dict[str, Any]]:
    """Describe each conjugacy class of subgroups by its first member."""
    found = subgroups(group)
    for index in range(found.class_of.max() + 1):
        members = np.flatnonzero(found.class_of == index)
        elements = np.flatnonzero(found.members[members[0]])
        place = np.cumsum(found.members[members[0]]) - 1
        table = place[group.table[np.ix_(elements, elements)]].astype(np.int32)
        entry = identify(Group("", table))
        yield {
            "order": len(elements),
            "conjugates": len(members),
            "normal": len(members) == 1,
            "small_group": entry.name if entry else None,
            "structure": entry.structure if entry else None,
            "elements": elements.tolist(),
        }


def _in_words(group: Group, facts: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe a group."""
    kinds = ("abelian", "nilpotent", "solvable", "simple")
    words = [kind for kind in kinds if facts[f"is_{kind}"]] or ["not solvable"]
    yield f"{group.name}: order {facts['order']}, {', '.join(words)}"
    rows = [
        ("exponent", facts["exponent"]),
        ("centre", f"order {facts['centre']}"),
        ("derived subgroup", f"order {facts['derived_subgroup']}"),
        ("classes", facts["num_classes"]),
        ("automorphisms", _count(facts["num_automorphisms"])),
        ("Small Groups Library", facts["small_group"] or f"beyond {LARGEST_ORDER}"),
    ]
    if facts["structure"] not in (None, group.name):
        rows.append(("structure", facts["structure"]))
    rows.append(("other names", _other_names(facts)))
    yield _indented(tabulate(rows, tablefmt="plain", disable_numparse=True))
    yield ""
    if facts["irreps"] is None:
        yield _indented(f"irreps: {NOT_COMPUTED}")
    else:
        yield _table(
            [
                {"irrep": irrep["name"]}
                | {key: irrep[key] for key in ("dim", "type", "kernel")}
                | {"orbit": irrep["orbit"] + 1}
                for irrep in facts["irreps"]
            ]
        )
        yield "\n" + _indented(_LEGEND)
    classes = [f"{order}{letters(k)}" for k, order in _numbered(facts)]
    if _IRREPS.value:
        yield "\nReal characters, by class (order of its elements, letter):"
        rows_of = facts["real_characters"].items()
        yield _table(
            [{"class": "size", **dict(zip(classes, facts["class_sizes"], strict=True))}]
            + [
                {"class": name, **dict(zip(classes, map(_number, chi), strict=True))}
                for name, chi in rows_of
            ]
        )
        yield "\nComplex characters:"
        yield _table(
            [
                {"indicator": row["indicator"]}
                | {
                    name: _number(real, imaginary)
                    for name, real, imaginary in zip(
                        classes, row["real"], row["imaginary"], strict=True
                    )
                }
                for row in facts["character_table"]
            ]
        )
    if _SUBGROUPS.value:
        total = sum(row["conjugates"] for row in facts["subgroups"])
        yield f"\n{total:,} subgroups in {len(facts['subgroups'])} classes:"
        hidden = ("elements",)
        yield _table(
            [
                {key: value for key, value in row.items() if key not in hidden}
                for row in facts["subgroups"]
            ]
        )


def _other_names(facts: dict[str, Any]) -> str:
    """Return the other names of a group, and which were not looked for."""
    told = (facts["small_group"], facts["structure"])
    names = ", ".join(n for n in facts["other_names"] if n not in told) or "none"
    if facts["order"] > LARGEST_COMPARED:
        return f"not computed above order {LARGEST_COMPARED:,}"
    if facts["order"] > LARGEST_ORDER:
        return f"{names} (products: not computed above order {LARGEST_ORDER})"
    return names


def _count(number: int | None) -> str:
    return NOT_COMPUTED if number is None else f"{number:,}"


def _numbered(facts: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Yield, for each class, the number of earlier ones of its element order; that."""
    seen: dict[int, int] = {}
    for order in facts["class_element_orders"]:
        yield seen.setdefault(order, 0), order
        seen[order] += 1


def _number(real: float, imaginary: float = 0.0) -> str:
    """Return a number with up to three decimals, without those that are zero."""
    if imaginary == 0.0:
        return f"{round(real, 3) + 0.0:.3f}".rstrip("0").rstrip(".")
    sign = "-" if imaginary < 0 else "+"
    start = _number(real) if real else ""
    return f"{start}{sign if start or sign == '-' else ''}{_number(abs(imaginary))}i"


def _table(rows: list[dict[str, Any]]) -> str:
    words = {True: "yes", False: "no"}
    rows = [
        {key: words[x] if isinstance(x, bool) else x for key, x in row.items()}
        for row in rows
    ]
    return _indented(
        tabulate(rows, headers="keys", tablefmt="simple", disable_numparse=True)
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _print_list(order: int) -> None:
    """Print every group of an order."""
    entries = small_groups().get(order)
    if entries is None:
        raise ConfigError(
            f"--list: {order} is not allowed; use an order from 1 to {LARGEST_ORDER}"
        )
    rows = []
    for entry in entries:
        group = library_group(order, entry.number)
        irreps = real_irreps(group)
        rows.append(
            {
                "name": entry.name,
                "structure": entry.structure,
                "abelian": group.is_abelian,
                "classes": len(group.class_sizes),
                "dims of real irreps": ", ".join(
                    f"{dims.count(dim)}×{dim}d"
                    for dims in [[irrep.dim for irrep in irreps]]
                    for dim in sorted({*dims})
                ),
            }
        )
    print(json.dumps(rows, indent=1) if _JSON.value else _table(rows))


def _save_table(group: Group, path: Path) -> None:
    """Write the multiplication table in a format that names of groups take."""
    if path.suffix == ".npy":
        write_atomically(path, lambda file: np.save(file, group.table))
    elif path.suffix in (".csv", ".txt"):
        separator = "," if path.suffix == ".csv" else " "
        text = "".join(separator.join(map(str, row)) + "\n" for row in group.table)
        write_atomically(path, lambda file: file.write(text.encode()))
    else:
        raise ConfigError(f"--table: '{path}' is not allowed; use .csv, .txt or .npy")


if __name__ == "__main__":
    command_line.run(main, _FLAGS, operands="[NAME]")
