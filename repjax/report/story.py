"""The data behind the report of one cell, from which figures, page and JSON are made.

NumPy only. `repjax.report.__main__` fills them from result files and checkpoints;
`analysis`, `figures` and `page` read them and nothing else: `write_analysis(report,
directory)`, `write_figures(report, directory)` (into `directory`/figures) and
`write_page(report, directory)` each return the paths that they wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from repjax.report.comparisons import Comparisons
from repjax.report.periodic import Square
from repjax.report.selection import Selection
from repjax.statistics.phases import Course
from repjax.statistics.universality import Universality
from repjax.storage.results import CellResults


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Details of one network at its newest checkpoint, which no trajectory holds.

    Arrays by irrep are in the order of `CellResults.irreps`.

    Attributes:
        in_cluster: whether each neuron is in the cluster of each irrep.
        is_off: whether each neuron is off.
        received: ‖P_ρ Z_a[:, m]‖², what neuron m receives from a in each irrep.
        hidden_power: Σ h~² of each neuron over all pairs.
        activations: index of an irrep → the strongest neurons of its cluster, strongest
            first, and their maps h[a, b]; key irreps with a cluster only. Strength is
            Σ h~² times the share of the irrep in `received`.
        logit_maps: index of an irrep → the map from the entries ρ(ab)_ij (rows, at
            i·d + j) to logits, in entries ρ(c⁻¹)_kl (columns), scaled to the norm of
            the ideal one; key irreps with d ≤ 16 only.
        ideal_maps: the map of the logits tr ρ(ab)ρ(c⁻¹); for real type the permutation
            (i, j) → (j, i).
        logit_map_distances: ‖map − ideal‖/‖ideal‖ by irrep, in [0, 2]: 0 where the map
            is the ideal one, √2 where it is orthogonal to it.
        unembedding: U in representation basis (hidden, Fourier column).
        irrep_of_column: index of the irrep of each Fourier column.
        characters: χ_ρ(g), by which the elements of a map are sorted.
        loss: cross-entropy over all pairs, in nats.
        key_space_loss: the same with W_U restricted to key space.
        complement_loss: the same with W_U restricted to its complement.
    """

    in_cluster: Bool[np.ndarray, "irrep hidden"]
    is_off: Bool[np.ndarray, " hidden"]
    received: Float[np.ndarray, "irrep hidden"]
    hidden_power: Float[np.ndarray, " hidden"]
    activations: Mapping[int, "NeuronMaps"]
    logit_maps: Mapping[int, Float[np.ndarray, "entry entry"]]
    ideal_maps: Mapping[int, Float[np.ndarray, "entry entry"]]
    logit_map_distances: Float[np.ndarray, " irrep"]
    unembedding: Float[np.ndarray, "hidden group"]
    irrep_of_column: Int[np.ndarray, " group"]
    characters: Float[np.ndarray, "irrep group"]
    loss: Float[np.ndarray, ""]
    key_space_loss: Float[np.ndarray, ""]
    complement_loss: Float[np.ndarray, ""]


@dataclass(frozen=True, eq=False)
class NeuronMaps:
    """Activations of some neurons on all pairs.

    Attributes:
        neurons: their indices.
        maps: h[a, b] of each neuron.
    """

    neurons: Int[np.ndarray, " neuron"]
    maps: Float[np.ndarray, "neuron group group"]


@dataclass(frozen=True, eq=False)
class Story:
    """All runs of one group, architecture and setting, from any number of workdirs.

    Attributes:
        name: unique in the report and fit for file names: "S5_mlp".
        order: n, number of elements of the group.
        types: real, complex or quaternionic, by irrep.
        results: trajectories of all its runs, in the order of `results.cell.seeds`,
            with every metric of `repjax.metrics`. NaN where a run was not measured: at
            steps at which only others were, and at all but the last step of imported
            networks. Mask before drawing.
        courses: milestones and phases of each run.
        universality: statistics over the runs that generalised.
        anatomies: index of a run → its anatomy; for a few runs, possibly for none.
        rivals: quantities of docs/explanations.md by name, (run, …) each; None if they
            were not computed.
        predictions: intervention → explanation → predicted outcome, for this group.
        selection: law of selection; None for a single run.
    """

    name: str
    order: int
    types: tuple[str, ...]
    results: CellResults
    courses: tuple[Course, ...]
    universality: Universality
    anatomies: Mapping[int, Anatomy]
    rivals: Mapping[str, np.ndarray] | None = None
    predictions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    selection: Selection | None = None

    @property
    def imported(self) -> bool:
        """Whether only the end of training was measured, as for imported networks."""
        return not any(course.has_past for course in self.courses)


@dataclass(frozen=True, eq=False)
class Report:
    """The data of a whole report.

    Attributes:
        stories: stories, by name.
        squares: the periodic table: groups by order, irreps as `CellResults.irreps`.
        manifests: name of a workdir → its manifest.json, if it has one.
        comparisons: the laws of selection of two cells side by side.
    """

    stories: tuple[Story, ...]
    squares: tuple[Square, ...]
    manifests: Mapping[str, Any]
    comparisons: Comparisons = field(default_factory=Comparisons)
