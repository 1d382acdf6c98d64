"""Names of the metrics, and thresholds such as that of a key irrep.

Every metric is defined in docs/metrics.md. Shares (`fve_*`, `hidden_*`, `cluster_a`, …)
and accuracies are in [0, 1], similarities in [−1, 1], losses in nats.
"""

SCALARS = (
    "train_loss",
    "test_loss",
    "train_accuracy",
    "test_accuracy",
    "excluded_loss",
    "restricted_loss",
    "fve_logits",
    "fve_w_a",
    "fve_w_b",
    "fve_w_u",
    "fve_mlp",
    "fve_mlp_ab",
    "weight_norm_sq",
)
"""One number for each run and evaluation; the columns of seeds.csv."""

TESTED = ("test_loss", "test_accuracy")
"""Those over test pairs: blank, NaN, where every pair trains."""

EXPLAINED = ("fve_class", "fve_ab", "fve_equivariant", "equivariance_spread")
"""Shares of the logits that rival explanations allow, and the spread of the label's
logit over the pairs of a label; the last columns of seeds.csv."""

COUNTS = ("neurons_off", "neurons_disagreeing", "trained_steps")
"""One integer for each run and evaluation."""

PER_IRREP = (
    "logit_similarity",
    "irrep_fve_w_a",
    "irrep_fve_w_b",
    "irrep_fve_w_u",
    "hidden_a",
    "hidden_b",
    "hidden_ab",
    "irrep_restricted_loss",
    "irrep_excluded_loss",
    "without_a_loss",
    "without_b_loss",
    "without_ab_loss",
    "cluster_neurons",
    "cluster_a",
    "cluster_b",
    "cluster_ab",
    "logit_map_similarity",
)
"""One number for each run, evaluation and real irrep."""

IN_TABLES = (*SCALARS, *EXPLAINED, "trained_steps", "logit_similarity")
"""Metrics behind seeds.csv and Table 3; the similarity decides which irreps are key."""

KEY_SIMILARITY = 0.005
"""A non-trivial irrep is key when its logit similarity is above this."""

LEARNED_SIMILARITY = 0.05
"""An irrep is learned at the first evaluated step with a similarity above this."""

NEURON_POWER = 1.0
"""A neuron is off if it receives less than this, and in the cluster of each irrep from
which it receives more."""

GENERALISED = 0.99
"""A run has generalised when its final test accuracy is at least this; where every pair
trains, its train accuracy."""

MEMORISED = 0.99
"""A run has memorised when its train accuracy is at least this."""

PURE = 0.95
"""A neuron is pure if one irrep has more than this share of what it receives."""

COSET_VARIANCE = 0.01
"""A neuron is constant on cosets if less than this share of its variance is within."""
