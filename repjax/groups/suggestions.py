"""Suggestions for names of groups that are not known."""

import re
from pathlib import Path

from repjax.groups.group_files import SUFFIXES
from repjax.groups.linear import LINEAR

_WORDS = {
    **{word.lower(): word for word in ("SmallGroup", "Heisenberg", "Dic", *LINEAR)},
    **{letter.lower(): letter for letter in "CDSAQM"},
    **{"z": "C", "dih": "D", "sym": "S", "alt": "A", "x": "x", "wr": "wr"},
    **{"×": "x", "*": "x", "≀": "wr"},
}
"""What a part of a name may be written as, in small letters → as it is in names."""

_WORD = re.compile(
    "|".join(map(re.escape, sorted(_WORDS, key=len, reverse=True))), re.IGNORECASE
)


def respelled(name: str) -> str:
    """Return a name as names are written: S5 for "s5", C12xC2 for "Z12 × z2"."""
    letters = re.sub(r"\s+", "", name.replace("_", ""))
    return _WORD.sub(lambda match: _WORDS[match[0].lower()], letters)


def file_of(name: str) -> str | None:
    """Return the file that a name lacks only the suffix of, None without one."""
    try:
        files = [f"{name}{suffix}" for suffix in SUFFIXES]
        return next((file for file in files if name and Path(file).is_file()), None)
    except (OSError, ValueError):  # too long, or with characters that no file has
        return None


def reason(name: str, largest_order: int, largest_degree: int) -> str | None:
    """Return why there is no group of this name, if a number in it is the reason.

    Args:
        name: name as names are written, such as S8 or C2xD2.
        largest_order: largest order of a group.
        largest_degree: largest n of S_n and A_n.
    """
    degrees = range(1, largest_degree + 1)
    known = {
        "C": range(1, largest_order + 1),
        "D": range(3, largest_order // 2 + 1),
        "S": degrees,
        "A": degrees,
        "Q": range(8, largest_order + 1, 4),
        "Dic": range(2, largest_order // 4 + 1),
    }
    same = {"D1": "C2", "D2": "C2xC2", "Q4": "C4", "Dic1": "C4"}
    for atom, family, digits in re.findall("((Dic|[CDSAQ])([0-9]{1,9}))", name):
        if atom in same:
            return f"{atom} is {same[atom]}"
        if int(digits) not in (numbers := known[family]):
            steps = " in steps of 4" if family == "Q" else ""
            first, last = f"{family}{numbers[0]}", f"{family}{numbers[-1]}"
            return f"{family}<n> goes from {first} to {last}{steps}"
    return None
