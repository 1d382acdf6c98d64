import re
from dataclasses import fields, is_dataclass

from repjax.dataset.card import columns_in_words
from repjax.dataset.columns import EVALUATIONS, FILES, IRREPS, RUNS, SETTINGS
from repjax.metrics import COUNTS, EXPLAINED, PER_IRREP, SCALARS
from repjax.settings.config import SWEEPABLE, RunSettings
from tests.conftest import REPOSITORY


def names(columns):
    return [column.name for column in columns]


def test_every_metric_and_setting_has_a_column():
    scalars = [*SCALARS, *EXPLAINED, *COUNTS]
    assert names(SETTINGS) == [*SWEEPABLE]
    assert names(RUNS)[-len(scalars) :] == scalars
    assert names(EVALUATIONS)[3:] == [*scalars, "logit_similarity"]
    assert [name for name in names(IRREPS) if name in PER_IRREP] == [*PER_IRREP]


def test_no_name_is_given_twice():
    for columns in FILES.values():
        assert len({*names(columns)}) == len(columns)


def types_of(cls, prefix=""):
    for field in fields(cls):
        if is_dataclass(field.type):
            yield from types_of(field.type, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field.type


def test_settings_have_the_types_of_their_rules():
    kinds = {str: "text", int: "int32", float: "float64", bool: "bool"}
    expected = {name: kinds[cls] for name, cls in types_of(RunSettings)}
    assert {column.name: column.kind for column in SETTINGS} == expected


def test_columns_are_defined_in_words():
    for column in (column for columns in FILES.values() for column in columns):
        assert re.fullmatch(r"[^\n]{5,}[^.\n]", column.definition), column.name


def test_the_page_has_the_columns_of_the_code():
    """Copy the result of `columns_in_words` to the end of the page."""
    page = (REPOSITORY / "docs" / "dataset.md").read_text(encoding="utf-8")
    assert page.partition("### runs.parquet")[1:] == (
        "### runs.parquet",
        columns_in_words().removeprefix("### runs.parquet") + "\n",
    )
