"""Rules for single settings: type, range, and the error message."""

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from numbers import Integral, Real
from typing import Any


class ConfigError(ValueError):
    """Bad input, in one line that names the key, the value and what is allowed."""


@dataclass(frozen=True)
class Rule:
    """The values that one setting may take.

    Attributes:
        allowed: them in words, to follow "use".
        convert: a given value → the value kept; raises ValueError or TypeError.
    """

    allowed: str
    convert: Callable[[Any], Any]

    def parse(self, key: str, value: Any) -> Any:
        """`value` as the dataclasses keep it; `ConfigError` if it is not allowed."""
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
        SHAPE: it changes an array's shape or the code: runs that differ in it cannot
            share a program.
        DATA: a number or an array that each run carries; it costs no compilation.
        HOST: no program knows it: names, and how often the host looks in.
    """

    SHAPE = "shape"
    DATA = "data"
    HOST = "host"


def setting(rule: Rule, kind: Kind) -> Any:
    """Return a dataclass field without a default whose values obey `rule`."""
    return dataclasses.field(metadata={"rule": rule, "kind": kind})


def require(condition: bool) -> None:
    """Raises the ValueError that `Rule.parse` turns into a message."""
    if not condition:
        raise ValueError


def integer(*, at_least: int, at_most: int | None = None) -> Rule:
    """Whole numbers; True and 3.0 are none."""

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
) -> Rule:
    """Finite numbers, kept as floats; an integer will do."""

    def convert(value: Any) -> float:
        require(isinstance(value, Real) and not isinstance(value, bool))
        value = float(value)
        require(math.isfinite(value))
        require(at_least is None or value >= at_least)
        require(above is None or value > above)
        require(below is None or value < below)
        return value

    limits = {"at least": at_least, "above": above, "below": below}
    words = [f"{word} {limit:g}" for word, limit in limits.items() if limit is not None]
    return Rule(f"a number {' and '.join(words)}", convert)


def flag() -> Rule:
    """True or False."""

    def convert(value: Any) -> bool:
        require(isinstance(value, bool))
        return value

    return Rule("True or False", convert)


def text(allowed: str) -> Rule:
    """Any string that is not blank; what it must say is checked where it is read."""

    def convert(value: Any) -> str:
        require(isinstance(value, str) and bool(value.strip()))
        return value.strip()

    return Rule(allowed, convert)


def choice(*options: str) -> Rule:
    """One of a few words."""

    def convert(value: Any) -> str:
        require(isinstance(value, str) and value in options)
        return value

    return Rule(f"one of {', '.join(options)}", convert)


def several(rule: Rule, allowed: str, *, at_least: int = 1) -> Rule:
    """A tuple of distinct values that obey `rule`.

    One string with commas will do: --config.groups=S5,A5 reaches us as ("S5,A5",).
    """

    def convert(value: Any) -> tuple:
        parts: list[Any] = []
        for item in [value] if isinstance(value, str) else as_tuple(value):
            parts.extend(item.split(",") if isinstance(item, str) else [item])
        values = tuple(rule.convert(part) for part in parts)
        require(len(values) >= at_least and len(set(values)) == len(values))
        return values

    return Rule(allowed, convert)


def as_tuple(value: Any) -> tuple:
    """A tuple, or the list that JSON makes of it; TypeError for anything else."""
    if not isinstance(value, tuple | list):
        raise TypeError
    return tuple(value)


def show(value: Any) -> str:
    """`value` as the user wrote it, on one line of bounded length."""
    written = repr(value)
    return written if len(written) <= 80 else f"{written[:77]}..."


def check_key(key: str, known: Iterable[str], where: str = "") -> None:
    """`ConfigError` unless `key` is one of the `known` dotted keys."""
    known = list(known)
    if key in known:
        return
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        raise ConfigError(f"{where}{key}: holds several keys; use {', '.join(inside)}")
    name = key.rpartition(".")[2]
    likely = [other for other in known if other.rpartition(".")[2] == name]
    likely = likely or get_close_matches(key, known, n=1)
    hint = f"did you mean {likely[0]}?" if likely else f"use one of {', '.join(known)}"
    raise ConfigError(f"{where}{key}: unknown; {hint}")
