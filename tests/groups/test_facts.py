"""Tests of `python -m repjax.groups` and of the facts that it tells."""

import json
import subprocess
import sys

import numpy as np
import pytest

from repjax.groups import build_group
from repjax.groups.direct_products import direct_factors
from repjax.groups.facts import describe
from repjax.groups.identify import same_groups
from repjax.groups.library import library_group, small_groups


def call(*arguments: str) -> subprocess.CompletedProcess:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "repjax.groups", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_facts_of_a5():
    """The icosahedral group."""
    facts = describe(build_group("A5"))
    assert (facts.order, facts.exponent, facts.centre) == (60, 30, 1)
    assert (facts.is_simple, facts.is_solvable, facts.is_abelian) == (
        True,
        False,
        False,
    )
    assert (facts.num_classes, facts.num_automorphisms) == (5, 120)
    assert facts.derived_subgroup == 60
    assert facts.small_group == "SmallGroup(60,5)"
    assert {"PSL(2,4)", "PSL(2,5)", "SL(2,4)"} <= {*facts.other_names}
    orbits = {irrep.name: irrep.orbit for irrep in facts.irreps}
    assert orbits["3d_a"] == orbits["3d_b"]
    assert len({*orbits.values()}) == 4
    assert [irrep.kernel for irrep in facts.irreps] == [60, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "simple", "centre", "derived", "automorphisms"),
    [
        ("C7", True, 7, 1, 6),
        ("C1", False, 1, 1, 1),
        ("Q8", False, 2, 2, 24),
        ("S6", False, 1, 360, 1440),
        ("PSL(2,7)", True, 1, 168, 336),
        ("SL(2,5)", False, 2, 120, 120),
        ("Heisenberg(3)", False, 3, 3, 432),
    ],
)
def test_known_facts(name, simple, centre, derived, automorphisms):
    """From textbooks."""
    facts = describe(build_group(name))
    assert (facts.is_simple, facts.centre) == (simple, centre)
    assert (facts.derived_subgroup, facts.num_automorphisms) == (derived, automorphisms)


@pytest.mark.parametrize(
    ("name", "other"), [("GL(3,2)", "PSL(2,7)"), ("A6", "PSL(2,9)"), ("D3", "S3")]
)
def test_other_names(name, other):
    """Orders of PSL(2,q) do not grow with q: that of q = 6 exceeds that of 7."""
    assert other in describe(build_group(name)).other_names


@pytest.mark.parametrize(
    ("name", "products"),
    [
        ("SmallGroup(4,2)", ["C2xC2", "C2^2"]),
        ("SmallGroup(12,4)", ["D6", "C2xS3"]),
        ("C12", ["C3xC4"]),
        ("SmallGroup(8,2)", ["C2xC4"]),
        ("C2^3", ["C2xC2xC2"]),
        ("C30", ["C2xC3xC5"]),
        ("D6xC2", ["C2xC2xS3", "C2^2xS3"]),
        ("S3xS3", ["S3^2"]),
        ("SmallGroup(42,2)", ["C2x(C7:C3)"]),
        ("C2xQ8", ["SmallGroup(16,12)"]),
        ("SmallGroup(72,46)", ["C2xS3xS3", "C2xS3^2"]),
        ("A4xC5", ["C5xA4"]),
    ],
)
def test_direct_products_are_named(name, products):
    """Indecomposable factors, by order."""
    assert {*products} <= {*describe(build_group(name)).other_names}


@pytest.mark.parametrize(
    "name", ["C1", "C9", "Q8", "SL(2,3)", "S4", "D4", "SmallGroup(16,13)", "C7:C3"]
)
def test_other_groups_are_no_products(name):
    """One factor, the group itself; none of the trivial group."""
    group = build_group(name)
    assert [entry.order for entry in direct_factors(group)] == [group.order][
        group.order == 1 :
    ]
    assert not any("x" in other for other in describe(group).other_names)


def test_abelian_groups_are_products_of_cyclic_ones_of_prime_powers():
    """All abelian groups of order 72: 3 of order 8 times 2 of order 9."""
    found = {
        tuple(sorted(factor.order for factor in direct_factors(group)))
        for group in (library_group(72, entry.number) for entry in small_groups()[72])
        if group.is_abelian
    }
    assert found == {
        tuple(sorted(eight + nine))
        for eight in ((8,), (2, 4), (2, 2, 2))
        for nine in ((9,), (3, 3))
    }


@pytest.mark.parametrize(
    ("name", "simple", "solvable", "derived"),
    [
        ("A7", True, False, 2520),
        ("D2000", False, True, 1000),
        ("S7", False, False, 2520),
    ],
)
def test_costly_facts_of_large_groups_are_left_out_by_name(
    name, simple, solvable, derived
):
    """The cheap ones are exact."""
    facts = describe(build_group(name))
    assert (facts.is_simple, facts.is_solvable) == (simple, solvable)
    assert facts.derived_subgroup == derived
    assert facts.num_automorphisms is facts.irreps is None


def test_command_says_what_is_not_computed():
    """In words and in JSON; --irreps computes it."""
    done = call("A7", "C2xA5")
    for line in (
        "automorphisms         not computed above order 2,500; --irreps does",
        "irreps: not computed above order 2,500; --irreps does",
        "other names           not computed above order 1,000",
        "other names           none (products: not computed above order 100)",
    ):
        assert line in done.stdout, done.stdout
    (facts,) = json.loads(call("A7", "--json").stdout)
    assert facts["not_computed"] == ["num_automorphisms", "irreps"]


def test_everything_on_request(monkeypatch):
    """As for a group within the limit."""
    monkeypatch.setattr("repjax.groups.facts.LARGEST_COMPUTED", 10)
    group = build_group("S4")
    assert describe(group).irreps is None
    facts = describe(group, everything=True)
    assert facts.num_automorphisms == 24 and len(facts.irreps) == 5


def test_same_groups():
    """Names of one group are found, others stay apart."""
    names = [
        "C7:C3",
        "S3",
        "Q8",
        "D4",
        "SmallGroup(21,1)",
        "D3",
        "C6",
        "SmallGroup(6,1)",
    ]
    assert same_groups(names) == [
        ("C7:C3", "SmallGroup(21,1)"),
        ("S3", "D3", "SmallGroup(6,1)"),
    ]


def test_command_in_words():
    """Every part is there, and columns of classes are named by element order."""
    done = call("SmallGroup(21,1)", "Q8", "--irreps", "--subgroups")
    assert done.returncode == 0, done.stderr
    for word in (
        "SmallGroup(21,1): order 21, solvable",
        "C7:C3",
        "complex",
        "10 subgroups in 4 classes",
        "Q8: order 8, nilpotent, solvable",
        "quaternionic",
        "6 subgroups in 6 classes",
        "  structure             C7:C3\n  other names           none\n",
        "  Small Groups Library  SmallGroup(8,4)\n  other names           Dic2\n",
        "  kernel: elements that act as the identity; 1: faithful\n  orbit: ",
        "  1        1             yes       SmallGroup(1,1)  1\n",
    ):
        assert word in done.stdout, done.stdout


def test_command_as_json():
    """A list of groups, with what flags ask for."""
    done = call("S3", "--irreps", "--subgroups", "--json")
    (facts,) = json.loads(done.stdout)
    assert facts["order"] == 6
    assert facts["real_characters"]["standard"] == [2.0, 0.0, -1.0]
    assert [row["order"] for row in facts["subgroups"]] == [1, 2, 3, 6]
    assert [row["conjugates"] for row in facts["subgroups"]] == [1, 3, 1, 1]
    assert [row["degree"] for row in facts["character_table"]] == [1, 1, 2]


def test_command_lists_an_order():
    """Fourteen groups of order 16."""
    done = call("--list=16", "--json")
    groups = json.loads(done.stdout)
    assert len(groups) == 14
    assert sum(group["abelian"] for group in groups) == 5
    assert groups[6]["structure"] == "D8"  # of 16 elements: GAP's D16
    *_, last = call("--list", "16").stdout.splitlines()
    assert last.split()[:4] == ["SmallGroup(16,14)", "C2xC2xC2xC2", "yes", "16"]


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".npy"])
def test_command_writes_a_table_that_can_be_read(tmp_path, suffix):
    """The group in the file is the group."""
    path = tmp_path / f"table{suffix}"
    assert call("Dic3", f"--table={path}").returncode == 0
    assert np.array_equal(build_group(str(path)).table, build_group("Dic3").table)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Foo"], "repjax: NAME: 'Foo' is not a known group; use C<n>"),
        (["d2"], "repjax: NAME: 'd2' is not a known group; D2 is C2xC2"),
        ([], "repjax: NAME: missing; name one or more groups, or use --list=ORDER"),
        (["--list=101"], "repjax: --list: 101 is not allowed; use an order from 1 to"),
        (["--list=8", "S3"], "repjax: --list: stands alone; leave out S3"),
        (["S3", "--table=x.doc"], "repjax: --table: 'x.doc' is not allowed; use .csv"),
        (["S3", "S4", "--table=x.csv"], "repjax: --table: takes one group; call once"),
        (["C2^7", "--subgroups"], "repjax: --subgroups: 'C2^7' has more than 20,000"),
        (
            ["A5", "--subgrops"],
            "repjax: --subgrops: unknown; did you mean --subgroups?",
        ),
    ],
)
def test_bad_input_is_one_line(arguments, said):
    """And exit code 2."""
    done = call(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(said), done.stderr
    assert len(done.stderr.splitlines()) == 1
