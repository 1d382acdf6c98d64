"""Rival explanations of all runs of a finished cell: characters, cosets, ρ-sets.

Kernels of `repjax.explanations` are written for one network; here they meet all
networks of a cell, in one program each, and their nulls.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from repjax.analysis.basis import TRIVIAL, Basis
from repjax.analysis.evaluate import logit_similarity
from repjax.analysis.explained import explained_shares
from repjax.analysis.passes import sum_over_pairs
from repjax.dissection import FinishedCell
from repjax.explanations.certified import certified_accuracy, certify
from repjax.explanations.clock_pizza import clock_or_pizza
from repjax.explanations.coset_networks import coset_performance
from repjax.explanations.cosets import Cosets, build_cosets, no_cosets
from repjax.explanations.idealised import (
    equivariant_performance,
    gcr_performance,
    performance_of_function,
)
from repjax.explanations.interventions import MAX_PAIRS, intervene
from repjax.explanations.neurons import describe_neurons
from repjax.explanations.rho_sets import fit_rho_sets, logits_of_sets
from repjax.groups import Group
from repjax.groups.subgroups import TooManySubgroups
from repjax.metrics import EXPLAINED, KEY_SIMILARITY
from repjax.models import Model, Transformer
from repjax.nulls import (
    initial_params,
    memorisation,
    memorised_params,
    shuffle_basis,
    shuffle_cosets,
)
from repjax.typing import Array, Params

SEED = 0
"""Of the shuffle of elements, of noise and of sampled triples."""

MAX_ELEMENTS_FOR_SUBGROUPS = 2_000
"""Largest order of a group whose subgroups are looked for unasked."""

NEURON_SHARES = ("pure_a", "pure_b", "pure_u", "coset_left", "coset_right")

PAIRS_OF_NULLS = 2**12
"""Pairs over which interventions are measured under nulls, at most; S5 has 14,400."""

REMOVED = ("without_", "cluster_size", "subgroup_size")
"""Beginnings of the names of interventions that look at the group."""

DISTANCE = "distance_irrelevance"

Named = dict[str, np.ndarray]


def rivals_of(cell: FinishedCell) -> Named:
    """Return every quantity of docs/explanations.md by name, (run, …) each.

    Quantities that a network or group does not have are absent or NaN: neurons and
    coset networks without a list of subgroups, ρ-sets of anything but an MLP, clock
    and pizza of groups that are not cyclic.
    """
    params, model, group = cell.params(), cell.model, cell.group
    cosets = cosets_of(group)
    place = np.random.default_rng(SEED).permutation(group.order)
    found = explain(cell, params, cosets, certified=True)
    found |= over_snapshots(cell, cosets)
    found |= change(cell, params, cosets, max_pairs=MAX_PAIRS)
    initial = initial_params(cell)
    nulls = {
        "initial": explain(cell, initial, cosets) | change(cell, initial, cosets),
        "shuffled": explain(cell, params, cosets, place)
        | change(cell, params, cosets, place),
        "memorised": when_memorised(cell, cosets),
    }
    found |= {
        f"{null}_{name}": values
        for null, under in nulls.items()
        for name, values in under.items()
    }
    known = no_cosets(model.order) if cosets is None else cosets
    orders = np.asarray(known.member) * np.asarray(known.orders)
    orders = orders.max(axis=1, initial=0)
    found["subgroup_order"] = np.tile(orders, (cell.results.num_runs, 1))
    return found


def explain(
    cell: FinishedCell,
    params: Params,
    cosets: Cosets | None,
    place: np.ndarray | None = None,
    certified: bool = False,
) -> Named:
    """Return the shares of logits and neurons, and idealised networks, of all runs.

    For cyclic groups also the measures of clocks and pizzas.

    Args:
        cell: what they were trained on.
        params: their weights, or others of their shapes.
        cosets: of all subgroups, if they are known.
        place: new name of each element, if elements are shuffled.
        certified: whether to measure the times of certificates too.
    """
    basis = cell.basis
    if place is not None:
        basis = shuffle_basis(basis, place)
        cosets = None if cosets is None else shuffle_cosets(cosets, place)
    found = _over_runs(_explain(cell.model), params, basis, cosets)
    if cell.results.cell.architecture == "mlp" and cell.results.cell.task == "a*b":
        found |= rho_sets_of(cell, params, place, certified)
    family = cell.group.family
    if family and family[0] == "C" and cell.group.order > 1:
        measures = _over_runs(_clock(cell.model), params, basis, None)
        if place is not None:  # gradients look at no group
            measures = {DISTANCE: measures[DISTANCE]}
        found |= measures
    return found


def change(
    cell: FinishedCell,
    params: Params,
    cosets: Cosets | None,
    place: np.ndarray | None = None,
    max_pairs: int = PAIRS_OF_NULLS,
) -> Named:
    """Return the outcomes of interventions in all runs; the arguments as of `explain`.

    With elements shuffled, only of the removals: irreps and subgroups are those of the
    shuffled group, labels those of the true one. The others never look at a group.
    """
    basis = cell.basis
    cosets = no_cosets(cell.model.order) if cosets is None else cosets
    # One program for runs and nulls wherever both have all pairs.
    kernel = _intervene(cell.model, min(max_pairs, cell.model.order**2))
    if place is None:
        return _over_runs(kernel, params, basis, cosets)
    basis = shuffle_basis(basis, place).replace(labels=basis.labels)
    found = _over_runs(kernel, params, basis, shuffle_cosets(cosets, place))
    return {name: values for name, values in found.items() if name.startswith(REMOVED)}


def when_memorised(cell: FinishedCell, cosets: Cosets | None) -> Named:
    """Return what `explain` and `change` find at the first step of memorisation.

    Only shares of the logits, from the trajectory, and `seconds`, an estimate, if the
    weights of that step would take too long to train again. NaN for a run that had
    generalised by then, or whose past was not measured.
    """
    past = memorisation(cell)
    params = memorised_params(cell, past)
    if params is not None:
        found = explain(cell, params, cosets) | change(cell, params, cosets)
    else:
        run = np.arange(cell.results.num_runs)
        metrics = cell.results.metrics
        found = {name: metrics[name][run, past.index] for name in EXPLAINED}
        found["seconds"] = np.full(len(run), past.seconds)

    def blank(values):
        shape = (-1,) + (1,) * (values.ndim - 1)
        return np.where(past.found.reshape(shape), values, np.nan)

    return {name: blank(values) for name, values in found.items()}


def cosets_of(group: Group) -> Cosets | None:
    """Return the cosets of all subgroups; None for groups with too many."""
    if group.order > MAX_ELEMENTS_FOR_SUBGROUPS:
        return None
    try:
        return build_cosets(group)
    except TooManySubgroups:
        return None


def over_snapshots(cell: FinishedCell, cosets: Cosets | None) -> Named:
    """Return the shares of neurons at every snapshot: `snapshot_…` (run, snapshot).

    `snapshot_steps` (run, snapshot) has their steps. Empty without snapshots.
    """
    steps = cell.snapshots()
    if not steps or cosets is None:
        return {}
    described = [
        _over_runs(_describe(cell.model), cell.snapshot(step), cell.basis, cosets)
        for step in steps
    ]
    return {
        f"snapshot_{name}": np.stack([each[name] for each in described], axis=1)
        for name in NEURON_SHARES
    } | {"snapshot_steps": np.tile(steps, (cell.results.num_runs, 1))}


def rho_sets_of(
    cell: FinishedCell, params: Params, place: np.ndarray | None, certified: bool
) -> Named:
    """Fit ρ-sets to every MLP of a cell on the host, measure and certify them.

    The arguments are those of `explain`.
    """
    model, group, basis = cell.model, cell.group, cell.basis
    names = np.arange(group.order) if place is None else place
    if place is not None:
        basis = shuffle_basis(basis, place)
    functions, rows = [], []
    for run in range(cell.results.num_runs):
        mine = jax.tree.map(lambda x, run=run: jnp.asarray(x[run]), params)
        left, right = (
            np.asarray(x)[names] for x in model.apply(mine, method="factors")
        )
        above = np.asarray(model.apply(mine, method="unembedding"))[:, names]
        fit = fit_rho_sets(group, left, right, above)
        functions.append(logits_of_sets(group, fit.sets)[np.argsort(names)])
        known = np.nan if fit.reason else 1.0
        coverages = [found.coverage for found in fit.sets]
        row = {
            "rho_set_coverage": np.mean(coverages) if coverages else np.nan,
            "rho_set_explained": fit.explained,
            "known": known,
        }
        if certified:
            found = certify(group, fit.sets, left, right, above)
            row |= {
                "certified_accuracy": known * found.accuracy,
                "certified_seconds": known * found.seconds,
                "brute_force_seconds": known * found.brute_force_seconds,
            }
        else:
            accuracy = certified_accuracy(group, fit.sets, left, right, above)
            row["certified_accuracy"] = known * accuracy
        rows.append(row)
    by_name = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    fitted = by_name.pop("known")
    measured = _over_runs(
        _perform(model), (params, np.float32(np.stack(functions))), basis, None
    )
    return by_name | {f"rho_set_{of}": fitted * x for of, x in measured.items()}


def _over_runs(kernel: Callable, runs: Any, basis: Basis, cosets: Any) -> Named:
    """Return what a compiled kernel finds for all runs, on the host.

    XLA unrolls a loop over a single run, which then rounds otherwise: a second turn,
    which is skipped, keeps it.
    """
    count = len(jax.tree.leaves(runs)[0])
    if count == 1:
        runs = jax.tree.map(lambda x: np.repeat(x, 2, axis=0), runs)
    wanted = np.arange(max(count, 2)) < count
    found = jax.device_get(kernel(runs, wanted, basis, cosets))
    return jax.tree.map(lambda x: x[:count], found)


def _program(kernel: Callable) -> Callable:
    """Compile a kernel of one network for any number of them, one after the other."""

    def program(runs, wanted, basis, cosets):
        def turn(run_and_wanted):
            run, is_wanted = run_and_wanted
            shapes = jax.eval_shape(kernel, run, basis, cosets)
            return jax.lax.cond(
                is_wanted,
                lambda: kernel(run, basis, cosets),
                lambda: jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes),
            )

        with jax.default_matmul_precision("highest"):
            return jax.lax.map(turn, (runs, wanted))

    return jax.jit(program)


@lru_cache(maxsize=8)
def _describe(model: Model) -> Callable:
    return _program(
        lambda params, basis, cosets: _neurons(model, params, basis, cosets)
    )


@lru_cache(maxsize=8)
def _explain(model: Model) -> Callable:
    """One pass over pairs for shares, neurons and idealised networks together."""

    def explain(params, basis, cosets):
        sums = sum_over_pairs(model, params, basis)
        key = (logit_similarity(sums, basis) > KEY_SIMILARITY).at[TRIVIAL].set(False)
        networks = {
            "gcr": gcr_performance(sums, basis, key),
            "equivariant": equivariant_performance(sums, basis),
        }
        if cosets is not None and not isinstance(model, Transformer):
            networks["coset"] = coset_performance(model, params, basis, cosets)
        found = explained_shares(sums, basis)
        if cosets is not None:
            found |= _neurons(model, params, basis, cosets)
        return found | {
            f"{name}_{of}": x
            for name, each in networks.items()
            for of, x in each.items()
        }

    return _program(explain)


def _neurons(
    model: Model, params: Params, basis: Basis, cosets: Cosets
) -> dict[str, Array]:
    left, right = model.apply(params, method="neuron_inputs")
    above = model.apply(params, method="unembedding")
    return describe_neurons(left, right, above, basis, cosets)


@lru_cache(maxsize=8)
def _perform(model: Model) -> Callable:
    def perform(run, basis, _):
        params, function = run
        sums = sum_over_pairs(model, params, basis)
        means = sums.equivariant / model.order**2
        return performance_of_function(function, means, sums, basis)

    return _program(perform)


@lru_cache(maxsize=8)
def _intervene(model: Model, max_pairs: int) -> Callable:
    def change(params, basis, cosets):
        key = jax.random.key(SEED)
        return intervene(model, params, basis, cosets, key, max_pairs)

    return _program(change)


@lru_cache(maxsize=8)
def _clock(model: Model) -> Callable:
    def measure(params, basis, _):
        return clock_or_pizza(model, params, basis, jax.random.key(SEED))

    return _program(measure)
