"""Columns of metrics: one for each metric of `repjax.metrics`, defined in words.

docs/metrics.md and docs/explanations.md have the formulas.
"""

from repjax.dataset.column import measured

SCALARS = (
    measured("train_loss", "nats", "mean cross-entropy over training pairs"),
    measured("test_loss", "nats", "mean cross-entropy over all other pairs"),
    measured("train_accuracy", "share", "share of training pairs answered rightly"),
    measured("test_accuracy", "share", "share of all other pairs answered rightly"),
    measured(
        "excluded_loss",
        "nats",
        "loss over training pairs without the ρ(ab) parts of key irreps",
    ),
    measured(
        "restricted_loss",
        "nats",
        "loss over all pairs of the ρ(ab) parts of key irreps alone",
    ),
    measured(
        "fve_logits",
        "share",
        "share of the logits' variance that characters of non-trivial irreps explain",
    ),
    measured("fve_w_a", "share", "share of ‖A‖² in key irreps"),
    measured("fve_w_b", "share", "share of ‖B‖² in key irreps"),
    measured("fve_w_u", "share", "share of ‖U‖² in key irreps"),
    measured(
        "fve_mlp",
        "share",
        "share of the activations' variance in ρ(a), ρ(b), ρ(ab) of key irreps",
    ),
    measured(
        "fve_mlp_ab",
        "share",
        "share of the activations' variance in ρ(ab) of key irreps",
    ),
    measured("weight_norm_sq", "", "sum of squares of all weights"),
)

EXPLAINED = (
    measured("fve_class", "share", "share of the logits that is a class function"),
    measured("fve_ab", "share", "share of the logits that depends on ab and c alone"),
    measured("fve_equivariant", "share", "share of the logits that is bi-equivariant"),
    measured(
        "equivariance_spread",
        "",
        "mean over labels of std/|mean| of the right logit over the label's pairs",
    ),
)

COUNTS = (
    measured("neurons_off", "neurons", "neurons with ‖Z_a‖² below 1"),
    measured(
        "neurons_disagreeing",
        "neurons",
        "neurons that Z_b would assign to other clusters than Z_a",
    ),
    measured(
        "trained_steps",
        "steps",
        "steps taken; fewer than `num_steps` at the end if the run diverged",
    ),
)

SIMILARITY = measured(
    "logit_similarity",
    "cosine",
    "cosine of the centred logits and the character χ_ρ(ab·c⁻¹)",
)

PER_IRREP = (
    SIMILARITY,
    measured("irrep_fve_w_a", "share", "share of ‖A‖² in the irrep"),
    measured("irrep_fve_w_b", "share", "share of ‖B‖² in the irrep"),
    measured("irrep_fve_w_u", "share", "share of ‖U‖² in the irrep"),
    measured("hidden_a", "share", "share of the activations' variance in ρ(a)"),
    measured("hidden_b", "share", "share of the activations' variance in ρ(b)"),
    measured("hidden_ab", "share", "share of the activations' variance in ρ(ab)"),
    measured(
        "irrep_restricted_loss", "nats", "loss over all pairs of its ρ(ab) part alone"
    ),
    measured(
        "irrep_excluded_loss",
        "nats",
        "loss over training pairs without its ρ(ab) part",
    ),
    measured("without_a_loss", "nats", "loss over all pairs without its ρ(a) part"),
    measured("without_b_loss", "nats", "loss over all pairs without its ρ(b) part"),
    measured("without_ab_loss", "nats", "loss over all pairs without its ρ(ab) part"),
    measured("cluster_neurons", "neurons", "neurons that receive more than 1 from it"),
    measured("cluster_a", "share", "`hidden_a` of these neurons alone"),
    measured("cluster_b", "share", "`hidden_b` of these neurons alone"),
    measured("cluster_ab", "share", "`hidden_ab` of these neurons alone"),
    measured(
        "logit_map_similarity",
        "cosine",
        "cosine of the map from ρ(ab) to logits and tr ρ(ab)ρ(c⁻¹)",
    ),
)

_TABLES = {"w_a": "A", "w_b": "B", "w_u": "Uᵀ"}

ENERGIES = tuple(
    measured(f"energy_{name}", "", f"‖P_ρ {of}‖² before the first step")
    for name, of in _TABLES.items()
) + tuple(
    measured(
        f"gradient_{name}",
        "nats²",
        f"‖P_ρ ∂L/∂{of}‖² before the first step, L being the training loss",
    )
    for name, of in _TABLES.items()
)
