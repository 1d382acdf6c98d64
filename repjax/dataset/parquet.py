"""Write the columns of a dataset as Parquet files: the same rows, the same bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repjax.dataset.column import Column
from repjax.dataset.rows import Rows
from repjax.storage.files import write_atomically

TYPES = {
    "text": pa.dictionary(pa.int32(), pa.string()),
    "texts": pa.list_(pa.field("element", pa.string(), nullable=False)),
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "float32s": pa.list_(pa.float32()),
}

ROWS_PER_GROUP = 2**17

COMPRESSION = {"compression": "zstd", "compression_level": 9}


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the schema of a file; its fields carry unit and definition."""
    return pa.schema(
        [
            pa.field(
                column.name,
                TYPES[column.kind],
                column.nullable,
                {"unit": column.unit, "definition": column.definition},
            )
            for column in columns
        ]
    )


def table_of(columns: Sequence[Column], rows: Rows) -> pa.Table:
    """Return rows as a table.

    Raises:
        ValueError: the rows have other columns, or a value is missing where none may.
    """
    if set(rows) != {column.name for column in columns}:
        raise ValueError(f"columns differ: {set(rows) ^ {c.name for c in columns}}")
    arrays = [_array(column, rows[column.name]) for column in columns]
    for column, array in zip(columns, arrays, strict=True):
        if array.null_count and not column.nullable:
            raise ValueError(f"{column.name}: {array.null_count} values are missing")
    return pa.Table.from_arrays(arrays, schema=schema_of(columns))


def _array(column: Column, values: Any) -> pa.Array:
    """Return the values of a column; NaN and None become missing values.

    Raises:
        ValueError: a count is not an integer.
    """
    kind = TYPES[column.kind]
    if column.kind == "float32s":
        num_rows, length = values.shape
        ends = np.arange(num_rows + 1, dtype=np.int32) * length
        flat = pa.array(values.ravel(), pa.float32(), from_pandas=True)
        return pa.ListArray.from_arrays(ends, flat)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.array(values, from_pandas=True).cast(kind)
    return pa.array(values, kind)


def write_table(tables: Sequence[pa.Table], path: Path) -> None:
    """Write tables of one schema below each other into one file."""
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    # Floats hardly repeat: their bytes are sorted by significance, which zstd likes.
    floats = [_leaf(field) for field in table.schema if _has_floats(field)]
    others = [_leaf(field) for field in table.schema if not _has_floats(field)]
    write_atomically(
        path,
        lambda file: pq.write_table(
            table,
            file,
            row_group_size=ROWS_PER_GROUP,
            use_dictionary=others,
            use_byte_stream_split=floats,
            version="2.6",
            **COMPRESSION,
        ),
    )


def _leaf(field: pa.Field) -> str:
    """Return the name under which Parquet stores the values of a column."""
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name


def _has_floats(field: pa.Field) -> bool:
    """Return whether a column holds floats or lists of them."""
    return pa.types.is_floating(getattr(field.type, "value_type", field.type))
