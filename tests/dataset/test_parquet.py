import numpy as np
import pytest

from repjax.dataset.column import Column
from repjax.dataset.columns import FILES
from repjax.dataset.rows import rows
from tests.dataset.parts import make_part
from tests.made_up import make_results

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
parquet = pytest.importorskip("repjax.dataset.parquet")

TYPES = {
    "text": "dictionary<values=string, indices=int32, ordered=0>",
    "texts": "list<element: string not null>",
    "float32": "float",
    "float64": "double",
    "float32s": "list<element: float>",
}


@pytest.mark.parametrize("name", FILES)
def test_the_file_has_the_schema_of_the_columns(tmp_path, name):
    results = make_results()
    for count in ("neurons_off", "neurons_disagreeing", "trained_steps"):
        results.metrics[count][:] = 3
    columns, values = FILES[name], rows(make_part(results))[name]
    path = tmp_path / "file.parquet"
    parquet.write_table([parquet.table_of(columns, values)] * 2, path)
    schema = pq.read_schema(path)
    assert schema.names == [column.name for column in columns]
    for field, column in zip(schema, columns, strict=True):
        assert str(field.type) == TYPES.get(column.kind, column.kind)
        assert field.nullable == column.nullable
        assert field.metadata[b"definition"].decode() == column.definition
        assert field.metadata[b"unit"].decode() == column.unit
    found = pq.read_table(path)
    assert len(found) == 2 * len(values["cell"])
    for column in columns:
        expected = [*values[column.name]] * 2
        got = found[column.name].to_pylist()
        if column.kind in ("texts", "float32s"):
            assert got == [[*each] for each in expected]
        else:
            assert got == [None if x != x else x for x in expected]


COLUMNS = (
    Column("some", "int32", "", "may be missing", nullable=True),
    Column("all", "float32", "", "may not"),
    Column("word", "text", "", "of two", nullable=True),
)


def test_nan_and_none_are_missing_and_infinity_is_not():
    values = {
        "some": np.array([1.0, np.nan]),
        "all": np.array([np.inf, 0.1]),
        "word": [None, "a"],
    }
    table = parquet.table_of(COLUMNS, values)
    assert table["some"].to_pylist() == [1, None]
    assert table["all"].to_pylist() == [np.inf, np.float32(0.1)]
    assert table["word"].to_pylist() == [None, "a"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"all": np.array([np.nan])}, "all: 1 values"),
        ({"other": [1]}, "{'other'}"),
        ({"some": np.array([0.5])}, "truncated"),
    ],
)
def test_rows_that_do_not_fit_are_refused(changes, message):
    values = {"some": [1], "all": np.array([0.5]), "word": ["a"]} | changes
    with pytest.raises(ValueError, match=message):
        parquet.table_of(COLUMNS, values)


def test_a_thousand_runs_are_small(tmp_path):
    """Random floats, which cannot be compressed; D12 has nine irreps."""
    columns = FILES["evaluations"]
    count, rng = 10_000, np.random.default_rng(0)
    values = {
        column.name: rng.random(count, np.float32)
        if column.kind == "float32"
        else np.repeat(np.arange(count // 100), 100)
        for column in columns
    } | {
        "cell": ["D12_mlp"] * count,
        "logit_similarity": rng.random((count, 9), np.float32),
    }
    path = tmp_path / "evaluations.parquet"
    parquet.write_table([parquet.table_of(columns, values)], path)
    assert path.stat().st_size < 5e6  # of 100 runs: a thousand take ten times as much
