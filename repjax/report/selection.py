"""Law of selection of one cell: which irreps its runs learn, in which order, and why.

Levine's list of open problems (2026), O52 to O61, asks for this law over many seeds.
Only runs that generalised enter, except where an attribute says otherwise. Each
statistic and its source: docs/selection.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, Real

from repjax.statistics.exchangeability import (
    Exchangeability,
    exchangeability,
    num_repeated,
)
from repjax.statistics.intervals import Estimate, Share, share
from repjax.statistics.key_sets import Law, entropy, law, unseen_mass
from repjax.statistics.multiplicities import (
    Allocation,
    Proportion,
    allocations,
    exponent,
    proportion,
)
from repjax.statistics.orbits import irrep_orbits
from repjax.statistics.phases import Course, has_past
from repjax.statistics.precedence import Precedence, precedence, smaller_first
from repjax.statistics.predictors import (
    NUM_REFITS,
    Prediction,
    predict,
    with_competition,
)
from repjax.statistics.survival import Curve, generalisation_curve
from repjax.statistics.thresholds import (
    AtThreshold,
    stable_share,
    threshold_dependence,
)
from repjax.statistics.universality import TRIVIAL
from repjax.storage.results import CellResults

FEWEST_RUNS = 8
"""With fewer runs that generalised, only frequencies are reported."""

MOST_REFITTED = 400_000
"""Runs in all shuffles for which a regression is fitted again: 40 of 10,000 runs take
ten seconds."""

FEWEST_REFITS = 39


@dataclass(frozen=True, eq=False)
class Symmetry:
    """What is known of a cell's group.

    Attributes:
        automorphisms: image of each irrep of `CellResults.irreps` under automorphisms
            that generate Aut(G).
        rho_set_sizes: number of vectors of the least ρ-set of each irrep; NaN where it
            is not known.
    """

    automorphisms: Integer[np.ndarray, "automorphism irrep"]
    rho_set_sizes: Float[np.ndarray, " irrep"] | None = None


@dataclass(frozen=True, eq=False)
class Neurons:
    """Neurons of the key irreps against predicted numbers.

    Attributes:
        counted: "best irrep" if each live neuron counts for the irrep that it receives
            most of, "clusters" if for every irrep of whose cluster it is.
        exponent: slope of log neurons on log d, within runs; None where all dimensions
            compared are equal.
        proportions: prediction → line through the origin.
        allocations: prediction → neurons in the wrong irrep.
    """

    counted: str
    exponent: Estimate | None
    proportions: Mapping[str, Proportion]
    allocations: Mapping[str, Allocation]


@dataclass(frozen=True, eq=False)
class Laws:
    """What only many runs can show; see `Selection`.

    Attributes:
        sets: distinct key sets and their frequencies.
        unseen: probability that the next run has a set not seen yet.
        entropy: entropy of the law of key sets, in nats.
        thresholds: key sets for each threshold of a grid.
        stable: runs whose key set is the same for all of them.
        order: which of two irreps is learned first; None without a past.
        smaller_first: share of pairs of which the irrep of smaller dimension is learned
            first; None without such pairs.
        exchangeability: test of the null that automorphisms of the group exchange
            irreps without effect; None where no key set is moved.
        num_repeated: of all runs, the number with exactly the numbers of another.
        neurons: None where they were not counted.
        prediction: key sets predicted from initial energies; None where these are not
            known, or if no irrep is key in enough runs and not in others.
    """

    sets: Law
    unseen: Estimate | None
    entropy: Estimate | None
    thresholds: tuple[AtThreshold, ...]
    stable: Share
    order: Precedence | None
    smaller_first: Estimate | None
    exchangeability: Exchangeability | None
    num_repeated: int
    neurons: Neurons | None
    prediction: Prediction | None


@dataclass(frozen=True, eq=False)
class Selection:
    """Law of selection of one cell.

    Attributes:
        generalised: runs that generalised, of all.
        irreps: names of the irreps that can be key: all but the trivial one.
        dims: their real dimensions.
        orbits: orbit of each under the automorphisms of the group, numbered by first
            irrep; each its own where automorphisms are not known.
        frequencies: runs in which each irrep is key.
        curve: share of all runs that has generalised, against steps; None for fewer
            than `FEWEST_RUNS` runs with a past.
        laws: None for fewer than `FEWEST_RUNS` runs that generalised.
    """

    generalised: Share
    irreps: tuple[str, ...]
    dims: tuple[int, ...]
    orbits: Int[np.ndarray, " irrep"]
    frequencies: tuple[Share, ...]
    curve: Curve | None
    laws: Laws | None


def select(
    results: CellResults,
    courses: Sequence[Course],
    symmetry: Symmetry | None = None,
    rivals: Mapping[str, np.ndarray] | None = None,
    energies: Mapping[str, Float[np.ndarray, "run irrep"]] | None = None,
) -> Selection:
    """Return the law of selection of a cell.

    Args:
        results: all its runs.
        courses: their milestones.
        symmetry: of its group; without it nothing is tested over orbits.
        rivals: `multiplicity` among them counts neurons by their best irrep; else the
            clusters of the trajectory count.
        energies: initial energies of each irrep by name; none if they are not known.
    """
    key = np.array([name != TRIVIAL for name in results.irreps])
    dims = np.array(results.irrep_dims)[key]
    is_key = results.is_key[:, key][results.generalised]
    moves = _moves(key, symmetry)
    return Selection(
        generalised=share(len(is_key), results.num_runs),
        irreps=tuple(np.array(results.irreps)[key].tolist()),
        dims=tuple(dims.tolist()),
        orbits=irrep_orbits(moves),
        frequencies=tuple(
            share(count, len(is_key)) for count in is_key.sum(axis=0).tolist()
        ),
        curve=_curve(results, courses),
        laws=(
            _laws(results, key, moves, symmetry, rivals, energies or {})
            if len(is_key) >= FEWEST_RUNS
            else None
        ),
    )


def watched_until(
    results: CellResults, courses: Sequence[Course]
) -> tuple[list[float], list[float]]:
    """Return the steps at which runs generalised, and the last ones of all others.

    Runs without a past are left out.
    """
    events: list[float] = []
    censored: list[float] = []
    ends = results.final("trained_steps").tolist()
    for course, end in zip(courses, ends, strict=True):
        if course.generalised is not None:
            events.append(float(course.generalised))
        elif course.has_past and np.isfinite(end):
            censored.append(float(end))
    return events, censored


def _curve(results: CellResults, courses: Sequence[Course]) -> Curve | None:
    events, censored = watched_until(results, courses)
    if len(events) + len(censored) < FEWEST_RUNS:
        return None
    return generalisation_curve(events, censored)


def _moves(
    key: Bool[np.ndarray, " every"], symmetry: Symmetry | None
) -> Integer[np.ndarray, "automorphism irrep"]:
    """Return images among the irreps that can be key; the trivial one stays."""
    if symmetry is None:
        return np.zeros((0, int(key.sum())), np.int64)
    place = np.cumsum(key) - 1
    return place[symmetry.automorphisms[:, key]]


def _laws(
    results: CellResults,
    key: Bool[np.ndarray, " every"],
    moves: Integer[np.ndarray, "automorphism irrep"],
    symmetry: Symmetry | None,
    rivals: Mapping[str, np.ndarray] | None,
    energies: Mapping[str, np.ndarray],
) -> Laws:
    runs, dims = results.generalised, np.array(results.irrep_dims)[key]
    is_key = results.is_key[np.ix_(runs, key)]
    similarity = results.final("logit_similarity")
    with_past = runs & has_past(results)
    learned = results.learned_step[np.ix_(with_past, key)]
    # Only irreps that are key at the end: others were learned for a time.
    learned = np.where(results.is_key[np.ix_(with_past, key)], learned, np.inf)
    sets = law(is_key)
    return Laws(
        sets=sets,
        unseen=unseen_mass(sets.counts),
        entropy=entropy(sets.counts),
        thresholds=threshold_dependence(similarity[np.ix_(runs, key)]),
        stable=stable_share(similarity[np.ix_(runs, key)]),
        order=precedence(learned) if len(learned) else None,
        smaller_first=smaller_first(learned, dims) if len(learned) else None,
        exchangeability=exchangeability(is_key, moves) if len(moves) else None,
        num_repeated=num_repeated(np.asarray(similarity)),
        neurons=_neurons(results, key, dims, symmetry, rivals),
        prediction=_prediction(
            {name: energy[np.ix_(runs, key)] for name, energy in energies.items()},
            is_key,
        ),
    )


def _prediction(
    energies: Mapping[str, Float[np.ndarray, "run irrep"]],
    is_key: Bool[np.ndarray, "run irrep"],
) -> Prediction | None:
    """Return how well energies predict key sets, each also relative to its rivals.

    Energies equal to others are left out: where both embeddings are one weight.
    """
    names: list[str] = []
    for name, energy in energies.items():
        if not any(np.array_equal(energy, energies[other]) for other in names):
            names.append(name)
    if not names:
        return None
    table = np.stack([energies[name] for name in names], axis=2).astype(float)
    features, all_names = with_competition(table, names, is_key)
    refits = max(FEWEST_REFITS, MOST_REFITTED // len(is_key))
    return predict(features, is_key, all_names, num_refits=min(NUM_REFITS, refits))


def _neurons(
    results: CellResults,
    key: Bool[np.ndarray, " every"],
    dims: Int[np.ndarray, " irrep"],
    symmetry: Symmetry | None,
    rivals: Mapping[str, np.ndarray] | None,
) -> Neurons | None:
    """Return the neurons of all runs that generalised; None if they were not counted.

    Where the least ρ-set of a key irrep is not known, it predicts nothing. None also
    where all predictions agree, as in groups of prime order.
    """
    if rivals is not None and "multiplicity" in rivals:
        counted, neurons = "best irrep", np.asarray(rivals["multiplicity"], float)
    else:
        counted, neurons = "clusters", results.final("cluster_neurons").astype(float)
    known = results.generalised & np.isfinite(neurons).all(axis=1)
    neurons = neurons[np.ix_(known, key)]
    is_key = results.is_key[np.ix_(known, key)]
    if not (neurons * is_key).any():
        return None
    predictions: dict[str, Real[np.ndarray, " irrep"]] = {"d²": dims**2, "d³": dims**3}
    sizes = None if symmetry is None else symmetry.rho_set_sizes
    if sizes is not None and np.isfinite(sizes[key][is_key.any(axis=0)]).all():
        predictions["ρ-set²"] = np.nan_to_num(sizes[key]) ** 2
    predictions = _distinct(predictions, is_key.any(axis=0))
    if len(predictions) < 2:
        return None
    proportions = {
        name: fit
        for name, of in predictions.items()
        if (fit := proportion(neurons, is_key, of)) is not None
    }
    return Neurons(
        counted,
        exponent(neurons, is_key, dims),
        proportions,
        allocations(neurons, is_key, predictions),
    )


def _distinct(
    predictions: Mapping[str, Real[np.ndarray, " irrep"]],
    used: Bool[np.ndarray, " irrep"],
) -> dict[str, Real[np.ndarray, " irrep"]]:
    """Leave out predictions that are proportional to an earlier one."""
    kept: dict[str, Real[np.ndarray, " irrep"]] = {}
    for name, sizes in predictions.items():
        ratios = [sizes[used] / other[used] for other in kept.values()]
        if not any(np.allclose(ratio, ratio[0]) for ratio in ratios):
            kept[name] = sizes
    return kept
