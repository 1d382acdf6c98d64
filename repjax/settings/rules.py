"""Rules for single settings: type, range, and the error message."""

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from numbers import Integral, Real
from typing import Any


class ConfigError(ValueError):
    """Bad input; one line names the key, the value and what is allowed."""


@dataclass(frozen=True)
class Rule:
    """The values that one setting may take.

    Attributes:
        allowed: these values in words, to follow "use".
        convert: given value → value to keep; raises ValueError or TypeError.
    """

    allowed: str
    convert: Callable[[Any], Any]

    def parse(self, key: str, value: Any) -> Any:
        """Return the value to keep; raise `ConfigError` if it is not allowed."""
        try:
            return self.convert(value)
        except ConfigError:
            raise
        except (TypeError, ValueError, OverflowError):
            raise ConfigError(
                f"{key}: {show(value)} is not allowed; use {self.allowed}"
            ) from None


class Kind(Enum):
    """Role of a setting in a compiled program.

    Attributes:
        SHAPE: changes an array's shape or the code: runs that differ in it cannot
            share a program.
        DATA: a number or an array that each run carries; needs no compilation.
        HOST: used by the host only, such as names and the interval of checkpoints.
    """

    SHAPE = "shape"
    DATA = "data"
    HOST = "host"


def setting(rule: Rule, kind: Kind) -> Any:
    """Return a dataclass field without a default whose values obey `rule`."""
    return dataclasses.field(metadata={"rule": rule, "kind": kind})


def require(condition: bool) -> None:
    """Raise a ValueError, which `Rule.parse` turns into a message, unless true."""
    if not condition:
        raise ValueError


def integer(*, at_least: int, at_most: int | None = None) -> Rule:
    """Return the rule for integers; True and 3.0 are not allowed."""

    def convert(value: Any) -> int:
        require(isinstance(value, Integral) and not isinstance(value, bool))
        value = int(value)
        require(at_least <= value and (at_most is None or value <= at_most))
        return value

    if at_most is None:
        return Rule(f"an integer, at least {at_least}", convert)
    return Rule(f"an integer from {at_least} to {at_most}", convert)


def real(
    *,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Rule:
    """Return the rule for finite numbers, kept as floats; integers are allowed."""

    def convert(value: Any) -> float:
        require(isinstance(value, Real) and not isinstance(value, bool))
        value = float(value)
        require(math.isfinite(value))
        require(at_least is None or value >= at_least)
        require(above is None or value > above)
        require(below is None or value < below)
        require(at_most is None or value <= at_most)
        return value

    limits = {
        "at least": at_least,
        "above": above,
        "below": below,
        "at most": at_most,
    }
    words = [f"{word} {limit:g}" for word, limit in limits.items() if limit is not None]
    return Rule(f"a number {' and '.join(words)}", convert)


def flag() -> Rule:
    """Return the rule for True or False."""

    def convert(value: Any) -> bool:
        require(isinstance(value, bool))
        return value

    return Rule("True or False", convert)


def text(allowed: str, tidy: Callable[[str], str] = str) -> Rule:
    """Return the rule for strings that are not blank.

    Args:
        allowed: description of valid strings, which are checked where they are used.
        tidy: applied to the string, to unify spellings of the same thing.
    """

    def convert(value: Any) -> str:
        require(isinstance(value, str) and bool(value.strip()))
        return tidy(value.strip())

    return Rule(allowed, convert)


def choice(*options: str) -> Rule:
    """Return the rule for one of a few words."""

    def convert(value: Any) -> str:
        require(isinstance(value, str) and value in options)
        return value

    return Rule(f"one of {', '.join(options)}", convert)


def several(rule: Rule, allowed: str, *, at_least: int = 1) -> Rule:
    """Return the rule for a tuple of distinct values that obey `rule`.

    A string with commas is split: --config.groups=S5,A5 arrives as ("S5,A5",).
    Commas in brackets do not separate: SmallGroup(21,1) is one value.
    """

    def convert(value: Any) -> tuple:
        parts: list[Any] = []
        for item in [value] if isinstance(value, str) else as_tuple(value):
            parts.extend(split(item) if isinstance(item, str) else [item])
        values = tuple(rule.convert(part) for part in parts)
        require(len(values) >= at_least and len(set(values)) == len(values))
        return values

    return Rule(allowed, convert)


def split(text: str) -> list[str]:
    """Split a text at the commas outside brackets."""
    return re.split(r",(?![^()]*\))", text)


def as_tuple(value: Any) -> tuple:
    """Return a tuple, or a list from JSON, as a tuple; else raise TypeError."""
    if not isinstance(value, tuple | list):
        raise TypeError
    return tuple(value)


def show(value: Any) -> str:
    """Return `value` as the user wrote it, on one line of bounded length.

    Numbers of NumPy, also inside a tuple, are written as numbers.
    """
    written = re.sub(r"\bnp\.\w+\(([\w.+-]*)\)", r"\1", repr(value))
    return written if len(written) <= 80 else f"{written[:77]}..."


def check_key(key: str, known: Iterable[str], where: str = "") -> None:
    """Raise `ConfigError` unless `key` is one of the `known` dotted keys.

    Args:
        key: what the user wrote.
        known: what is allowed.
        where: precedes the key in the message, and, if it begins with dashes, the keys
            that the message suggests.
    """
    known = list(known)
    if key in known:
        return
    inside = [name for name in known if name.startswith(f"{key}.")]
    likely = [] if inside else _likely(key, known)
    if inside:
        reason = f"holds several keys; use {_listed(inside, where)}"
    elif len(likely) == 1:
        reason = f"unknown; did you mean {_listed(likely, where)}?"
    else:
        reason = f"unknown; use one of {_listed(likely or known, where)}"
    raise ConfigError(f"{where}{key}: {reason}")


def _likely(key: str, known: Sequence[str]) -> list[str]:
    """Return the key that was probably meant, or all keys of its section."""
    section, _, name = key.rpartition(".")
    sections = {other.rpartition(".")[0] for other in known}
    meant = get_close_matches(section, sections - {""}, n=1) if section else []
    candidates = [k for k in known if not meant or k.rpartition(".")[0] == meant[0]]
    if same := [other for other in known if other.rpartition(".")[2] == name]:
        return same[:1]
    by_name = {other.rpartition(".")[2]: other for other in candidates}
    if close := get_close_matches(name, by_name, n=1):
        return [by_name[close[0]]]
    return candidates if meant else []


def _listed(keys: Sequence[str], where: str) -> str:
    """Return keys as they are to be typed; of many, the flag is not repeated."""
    flag = where if where.startswith("--") and len(keys) <= 10 else ""
    return ", ".join(f"{flag}{key}" for key in keys)
