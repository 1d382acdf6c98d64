"""What each explanation predicts for each intervention, as data; no jax.

The explanations are GCR (Chughtai et al. 2023), cosets (Stander et al. 2024) and ρ-sets
(Wu et al. 2025), all of networks of ReLUs; GCR's formula also fits the bilinear one.

- GCR: the hidden layer multiplies ρ(a) and ρ(b); L = Σ_ρ k_ρ·tr ρ(a)ρ(b)ρ(c⁻¹).
- Cosets: A is constant on right cosets Hg, B on left cosets of a conjugate of H, and
  the zeros of A[a] + B[b] tell in which coset ab lies.
- ρ-sets: L = −Σ u·ρ(c)v · ReLU(u·ρ(a)w − w·ρ(b)v) over all u, v of a finite set that ρ
  permutes, with any fixed vector w; the vectors of the set add to 0.

An outcome can depend on a case, which the caller knows from the group or the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from repjax.groups import Group

Explanation = Literal["gcr", "cosets", "rho_sets"]
Outcome = Literal["unchanged", "destroyed", "open"]

SWAP_CASES = ("abelian", "not abelian")
"""Of the group. At most 5/8 of the pairs of a non-abelian group commute."""

REMOVAL_CASES = ("alone", "one of several", "not used")
"""Of the part removed: an irrep is used if it is key; its cluster and a class of
subgroups are used if they have neurons, alone if those are all live neurons."""


@dataclass(frozen=True)
class Prediction:
    """The outcome that an explanation predicts, by case, and why.

    "unchanged" means that the accuracy stays; "destroyed" that the task is no longer
    solved, the accuracy being 5/8 at most; "open" that the explanation does not say. A
    single case is named "always".
    """

    outcomes: Mapping[str, Outcome]
    reason: str


def _always(outcome: Outcome, reason: str) -> Prediction:
    return Prediction({"always": outcome}, reason)


def _by_part(reason: str) -> Prediction:
    """Whether the rest suffices is open, unless there is no rest."""
    outcomes: tuple[Outcome, ...] = ("destroyed", "open", "unchanged")
    return Prediction(dict(zip(REMOVAL_CASES, outcomes, strict=True)), reason)


_SWAP = Prediction(
    {"abelian": "unchanged", "not abelian": "destroyed"},
    "Any network then computes ba, which is the label of commuting pairs only.",
)
_EMBEDDINGS = "It concerns A and B, not the coordinates of W_x and W_y behind them."
_MARGIN = "It does not say how large A, B and the margins are beside noise of size 1."

PREDICTIONS: Mapping[str, Mapping[Explanation, Prediction]] = {
    "swap": {"gcr": _SWAP, "cosets": _SWAP, "rho_sets": _SWAP},
    "swap_embeddings": {
        "gcr": _always("open", _EMBEDDINGS),
        "cosets": _always("open", _EMBEDDINGS),
        "rho_sets": _always("open", _EMBEDDINGS),
    },
    "negate_a": {
        "gcr": _always(
            "destroyed", "ρ(a) enters once: every logit changes sign, the label's most."
        ),
        "cosets": _always(
            "destroyed", "B[b] − A[a] has its zeros elsewhere, and they mark the coset."
        ),
        "rho_sets": _always(
            "destroyed",
            "The ReLU has −u in place of u: if the set holds −u, L changes sign; "
            "else the label's logit falls below the mean in every set that was tried.",
        ),
    },
    "negate_b": {
        "gcr": _always(
            "destroyed", "ρ(b) enters once: every logit changes sign, the label's most."
        ),
        "cosets": _always(
            "destroyed", "A[a] − B[b] has its zeros elsewhere, and they mark the coset."
        ),
        "rho_sets": _always(
            "destroyed",
            "The ReLU has −v in place of v: if the set holds −v, L changes sign; "
            "else the label's logit falls below the mean in every set that was tried.",
        ),
    },
    "negate_both": {
        "gcr": _always("unchanged", "The signs cancel in ρ(a)ρ(b)."),
        "cosets": _always(
            "unchanged", "The zeros of A[a] + B[b] stay, and with them the coset."
        ),
        "rho_sets": _always(
            "unchanged",
            "ReLU(−x) = ReLU(x) − x, and Σ x·u·ρ(c)v = 0, since the set adds to 0.",
        ),
    },
    "absolute": {
        "gcr": _always(
            "open", "It says that ReLUs multiply ρ(a) and ρ(b), and not how."
        ),
        "cosets": _always(
            "unchanged", "The zeros of A[a] + B[b] stay, and with them the coset."
        ),
        "rho_sets": _always(
            "unchanged",
            "|x| = 2·ReLU(x) − x, and Σ x·u·ρ(c)v = 0: every logit is doubled.",
        ),
    },
    "noise": {
        "gcr": _always("open", _MARGIN),
        "cosets": _always(
            "open",
            "Noise moves the zeros; it does not say how many neurons outvote that.",
        ),
        "rho_sets": _always("open", _MARGIN),
    },
    "without_irrep": {
        "gcr": _by_part("L loses k_ρ·χ_ρ(abc⁻¹), and nothing if the irrep is not key."),
        "cosets": _always(
            "open",
            "A function on cosets may hold several irreps; without one of them it is "
            "constant on the same cosets, but its zeros move.",
        ),
        "rho_sets": _by_part("L loses the ρ-sets of this irrep, and nothing else."),
    },
    "without_cluster": {
        "gcr": _by_part("The neurons of ρ carry k_ρ·χ_ρ(abc⁻¹), and nothing else."),
        "cosets": _always(
            "open", "Its neurons belong together by their subgroup, not by an irrep."
        ),
        "rho_sets": _by_part("The neurons of ρ are its ρ-sets, and nothing else."),
    },
    "without_subgroup": {
        "gcr": _always("open", "Subgroups have no part in it."),
        "cosets": _by_part("L loses the votes on cosets of these subgroups."),
        "rho_sets": _by_part(
            "A neuron is constant on cosets of the subgroup that fixes u, and of that "
            "which fixes v: L loses whole ρ-sets."
        ),
    },
}


def predict(intervention: str, explanation: Explanation, case: str) -> Outcome:
    """Return the predicted outcome; a prediction that holds always needs no case."""
    outcomes = PREDICTIONS[intervention][explanation].outcomes
    return outcomes["always"] if "always" in outcomes else outcomes[case]


def predictions_for(group: Group) -> dict[str, dict[str, Outcome]]:
    """Return intervention → explanation → outcome for networks on a group.

    Removals of parts are left out: they depend on the part.
    """
    case = "abelian" if group.is_abelian else "not abelian"
    explanations: tuple[Explanation, ...] = ("gcr", "cosets", "rho_sets")
    return {
        name: {of: predict(name, of, case) for of in explanations}
        for name in PREDICTIONS
        if not name.startswith("without_")
    }
