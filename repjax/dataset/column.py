"""A column of a dataset: its name, type, unit and definition."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "texts", "bool", "int32", "float32", "float64", "float32s"]
"""`texts` and `float32s` hold a list in each row."""


@dataclass(frozen=True)
class Column:
    """One column of a file.

    Attributes:
        name: as in the file.
        kind: type of its values.
        unit: unit of its values; empty if they have none.
        definition: meaning of a value, in a sentence without a full stop.
        nullable: whether a value may be missing; NaN is stored as a missing value.
    """

    name: str
    kind: Kind
    unit: str
    definition: str
    nullable: bool = False


def measured(name: str, unit: str, definition: str) -> Column:
    """Return the column of a metric, null where it was not measured or is NaN."""
    kind: Kind = "int32" if unit in ("neurons", "steps") else "float32"
    return Column(name, kind, unit, definition, nullable=True)
